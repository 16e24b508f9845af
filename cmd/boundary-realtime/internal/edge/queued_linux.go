package edge

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// queued returns the number of bytes that the peer has not acknowledged, 0 if unknown.
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
