package realtimetest

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"boundary-app.org/realtime/internal/socket"
)

// maxMessage is the longest message a Client takes, in octets.
const maxMessage = 16 << 20

// Client is a WebSocket client that records what it is sent.
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

func newClient(ctx context.Context, conn net.Conn, token string) (*Client, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	input, err := upgrade(conn, token)
	if err != nil {
		return nil, err
	}
	c := &Client{
		conn: conn, input: input,
		config: socket.Config{Client: true, MaxMessage: maxMessage},
		ended:  make(chan struct{}),
	}
	go c.read()
	if err := c.greet(ctx); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// upgrade makes the opening handshake and returns what to read frames from.
func upgrade(conn net.Conn, token string) (io.Reader, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+conn.RemoteAddr().String()+"/", nil)
	if err != nil {
		return nil, err
	}
	offer := socket.HandshakeOptions{}
	key := socket.SetRequest(request.Header, offer)
	request.Header.Set("Authorization", "Bearer "+token)
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	input := bufio.NewReader(conn)
	response, err := http.ReadResponse(input, request)
	if err != nil {
		return nil, err
	}
	if _, _, err := socket.CheckResponse(response, key, offer); err != nil {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 512))
		return nil, fmt.Errorf("%w: %s", err, body)
	}
	return input, nil
}

func (c *Client) greet(ctx context.Context) error {
	frames, err := c.WaitFrames(ctx, 1)
	if err != nil {
		return err
	}
	var hello struct {
		Type         string `json:"type"`
		ConnectionID string `json:"connectionId"`
	}
	if err := json.Unmarshal(frames[0].Text, &hello); err != nil || hello.Type != "$connected" {
		return fmt.Errorf("the first frame is %q", frames[0].Text)
	}
	c.ID = hello.ConnectionID
	return nil
}

// Send sends a text message to the server.
func (c *Client) Send(text []byte) error { return c.write(socket.OpText, text) }

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
			_ = c.Close(event.Code, "") // the answer; in vain when we asked
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
