package poll

import "net"

// Bare returns the connection under a wrapper that says, by a method Bare, that it
// holds back no bytes, so that the one below can be polled in its place. It returns
// any other connection as it is.
func Bare(conn net.Conn) net.Conn {
	if wrapper, ok := conn.(interface{ Bare() net.Conn }); ok {
		return wrapper.Bare()
	}
	return conn
}
