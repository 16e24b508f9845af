package realtime_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/sys/unix"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// timeoutListener reports for each connection that is closed the TCP_USER_TIMEOUT of
// its socket, in milliseconds; 0: none was set.
type timeoutListener struct {
	net.Listener
	closed chan int
}

func (l timeoutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return timeoutConn{conn.(*net.TCPConn), l.closed}, nil
}

type timeoutConn struct {
	*net.TCPConn
	closed chan int
}

func (c timeoutConn) Bare() net.Conn { return c.TCPConn }

func (c timeoutConn) Close() error {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if timeout, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); err == nil {
				c.closed <- timeout
			}
		})
	}
	return c.TCPConn.Close()
}

// What a client that is refused behind the upgrade has not taken, of this answer and
// of those before it, is dropped after 30 s without progress.
func TestRefusedClientLeavesNothingInTheKernel(t *testing.T) {
	t.Parallel()
	for name, listen := range map[string]func(*httptest.Server){
		"TCP": (*httptest.Server).Start, "TLS": (*httptest.Server).StartTLS,
	} {
		for kind, r := range map[string]*http.Request{
			"bad token":         upgrading("/?token=a", "Sec-Websocket-Protocol", wire.Subprotocol),
			"bad first message": upgrading("/"),
		} {
			t.Run(kind+" over "+name, func(t *testing.T) {
				t.Parallel()
				closed := make(chan int, 1)
				s := startOver(t, way{name: name, listen: func(web *httptest.Server) {
					web.Listener = timeoutListener{web.Listener, closed}
					listen(web)
				}}, realtime.Options{}, inMessage)
				c := dialOver(t, s, r)
				c.send(socket.OpText, "hello")
				c.wantsKind(socket.Close)
				_ = c.Conn.Close()
				if ms := eventually(t, closed, "the end"); ms != 30_000 {
					t.Errorf("what is not taken is dropped after %d ms, want 30000", ms)
				}
			})
		}
	}
}
