package edge

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// queued returns how many bytes the other end of a connection has not
// acknowledged, 0 where that is not known.
func queued(conn net.Conn) (n int) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n
}
