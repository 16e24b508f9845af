package realtimetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"boundary-app.org/realtime/internal/socket"
)

// maxMessage is the longest message a Client takes, in bytes.
const maxMessage = 16 << 20

// Client is a WebSocket client that records what it is sent. With Subprotocol it
// records $ping, too.
type Client struct {
	Recording
	// ID is the id of its connection.
	ID string

	conn   net.Conn
	input  io.Reader
	config socket.Config
	reader socket.Reader // owned by the reading goroutine
	ended  chan struct{} // closed when that goroutine has ended

	mu sync.Mutex // serializes writes
}

func newClient(conn net.Conn, input io.Reader) *Client {
	c := &Client{
		conn: conn, input: input,
		config: socket.Config{Client: true, MaxMessage: maxMessage},
		ended:  make(chan struct{}),
	}
	go c.read()
	return c
}

// Send sends a text message to the server.
func (c *Client) Send(text []byte) error { return c.write(socket.OpText, text) }

// SendBinary sends a binary message to the server.
func (c *Client) SendBinary(data []byte) error { return c.write(socket.OpBinary, data) }

// Close closes the connection with a code. It does not wait: WaitClosed returns
// the server's answer.
func (c *Client) Close(code uint16, reason string) error {
	return c.write(socket.OpClose, socket.AppendCloseBody(nil, code, reason))
}

func (c *Client) write(op socket.Opcode, payload []byte) error {
	var mask [4]byte
	_, _ = rand.Read(mask[:]) // never fails, by its contract
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.conn.Write(socket.AppendMaskedFrame(nil, op, payload, mask)); err != nil {
		return fmt.Errorf("realtimetest: send: %w", err)
	}
	return nil
}

// read records until the connection ends.
func (c *Client) read() {
	defer close(c.ended)
	defer func() { _ = c.conn.Close() }()
	buf := make([]byte, 4<<10)
	for {
		n, err := c.input.Read(buf)
		if feedErr := c.feed(buf[:n]); feedErr != nil {
			err = feedErr
		}
		if err != nil {
			c.end(socket.CloseAbnormal, "") // counts only where no close frame came
			return
		}
	}
}

func (c *Client) feed(data []byte) error {
	for {
		event, rest, err := c.reader.Next(&c.config, false, data)
		if err != nil {
			return err
		}
		switch event.Kind {
		case socket.None:
			return nil
		case socket.Message:
			err = c.add(event.Data)
		case socket.Ping:
			err = c.write(socket.OpPong, event.Data)
		case socket.Close:
			c.end(event.Code, string(event.Data))
			_ = c.Close(event.Code, "") // the answer, unless we asked
			err = errors.New("closed")
		}
		if err != nil {
			return err
		}
		data = rest
	}
}

// stop cuts the connection and waits for the reading goroutine.
func (c *Client) stop() {
	_ = c.conn.Close()
	<-c.ended
}
