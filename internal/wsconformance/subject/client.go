package subject

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"boundary-app.org/realtime/internal/socket"
)

// ClientMax is the limit of a message to the echo client, in octets: the suite's largest.
const ClientMax = 16 << 20

// Echo connects to a WebSocket server at host:port and echoes what it sends until the connection
// ends, or ctx is done. How the server ends it, and what it breaks, is no error; that there was no
// connection is.
func Echo(ctx context.Context, address string, compression bool) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := &client{conn: conn, r: bufio.NewReader(conn), cfg: socket.Config{Client: true, MaxMessage: ClientMax}}
	if err := c.upgrade(address, socket.HandshakeOptions{Deflate: compression}); err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	return c.echo()
}

type client struct {
	conn    net.Conn
	r       *bufio.Reader
	cfg     socket.Config
	deflate bool
}

func (c *client) upgrade(address string, offer socket.HandshakeOptions) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	key := socket.SetRequest(req.Header, offer)
	if err := req.Write(c.conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, req)
	if err != nil {
		return err
	}
	_, c.deflate, err = socket.CheckResponse(resp, key, offer)
	return err
}

func (c *client) echo() error {
	var r socket.Reader
	buf := make([]byte, 32<<10)
	for {
		n, err := c.r.Read(buf)
		if err != nil {
			return nil // the server has ended it
		}
		for in := buf[:n]; len(in) > 0; {
			var ev socket.Event
			if ev, in, err = r.Next(&c.cfg, c.deflate, in); err != nil {
				var violation *socket.ProtocolError
				errors.As(err, &violation)
				_, _ = c.conn.Write(masked(socket.OpClose, socket.AppendCloseBody(nil, violation.Code, violation.Text)))
				return c.end()
			}
			if c.answer(ev); ev.Kind == socket.Close {
				return c.end()
			}
		}
	}
}

// answer writes what an event asks for. If that fails, so will the next read.
func (c *client) answer(ev socket.Event) {
	switch ev.Kind {
	case socket.Message:
		if c.deflate {
			_, _ = c.conn.Write(socket.AppendMaskedDeflatedFrame(nil, ev.Op, ev.Data, newMask()))
		} else {
			_, _ = c.conn.Write(masked(ev.Op, ev.Data))
		}
	case socket.Ping:
		_, _ = c.conn.Write(masked(socket.OpPong, ev.Data))
	case socket.Close:
		_, _ = c.conn.Write(masked(socket.OpClose, socket.AppendCloseBody(nil, ev.Code, "")))
	}
}

// end ends our direction, and reads the server's to its end: closing at once would reset the
// connection under the close frame.
func (c *client) end() error {
	if half, ok := c.conn.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	_, _ = c.r.WriteTo(io.Discard)
	return nil
}

func masked(op socket.Opcode, payload []byte) []byte {
	return socket.AppendMaskedFrame(nil, op, payload, newMask())
}

func newMask() (mask [4]byte) {
	_, _ = rand.Read(mask[:]) // never fails, see its documentation
	return mask
}
