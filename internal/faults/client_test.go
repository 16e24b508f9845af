package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"boundary-app.org/realtime/internal/faultproxy"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// client is a WebSocket client that does as PROTOCOL.md says and no more. It
// belongs to one goroutine.
type client struct {
	net.Conn
	link    *faultproxy.Conn // nil: it does not come through a proxy
	silence time.Duration    // after which it takes the connection for dead; 0: never
	id      string           // of its connection

	input   *bufio.Reader
	reader  socket.Reader
	deflate bool // permessage-deflate was agreed on
	rest    []byte
	buf     [4 << 10]byte
}

// frame is a text from the server.
type frame struct {
	Type           string   `json:"type"`
	Topic          string   `json:"topic"`
	Payload        string   `json:"payload"`
	Ref            int      `json:"ref"`
	OK             bool     `json:"ok"`
	ConnectionID   string   `json:"connectionId"`
	PingInterval   int      `json:"pingInterval"`
	ReconnectAfter *float64 `json:"reconnectAfter"`
	Error          struct {
		Code string `json:"code"`
	} `json:"error"`
}

// closed is the error of a client whose server has sent a close frame.
type closed struct {
	code   wire.CloseCode
	reason string
}

func (e *closed) Error() string { return fmt.Sprintf("closed with %d %q", e.code, e.reason) }

// refused is the error of a client whose handshake got another status.
type refused struct{ status int }

func (e *refused) Error() string { return fmt.Sprintf("refused with status %d", e.status) }

var clientSide = socket.Config{Client: true, MaxMessage: 1 << 20}

// upgrade makes the opening handshake and reads $connected. It closes the
// connection when it fails.
func upgrade(conn net.Conn, token string, protocols ...string) (*client, error) {
	c := &client{Conn: conn, input: bufio.NewReader(conn)}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := c.handshake(token, protocols); err != nil {
		_ = conn.Close()
		return nil, err
	}
	hello, err := c.next()
	if err == nil && hello.Type != "$connected" {
		err = fmt.Errorf("the first frame is %s", hello.Type)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	c.id = hello.ConnectionID
	if hello.PingInterval > 0 {
		// What the protocol lets a client conclude from: an interval and some slack.
		c.silence = time.Duration(hello.PingInterval)*time.Millisecond + slack
	}
	return c, nil
}

// slack is what a ping may be late by on a machine with much to do.
const slack = 5 * time.Second

// opening returns the request of an opening handshake.
func opening(token string, protocols []string) (request *http.Request, key string) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://realtime.example/ws", nil)
	if err != nil {
		panic(err) // the arguments are constant
	}
	key = socket.SetRequest(request.Header, socket.HandshakeOptions{Protocols: protocols, Deflate: true})
	request.Header.Set("Authorization", "Bearer "+token)
	return request, key
}

func (c *client) handshake(token string, protocols []string) error {
	request, key := opening(token, protocols)
	if err := request.Write(c); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.input, request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		_, _ = io.Copy(io.Discard, response.Body)
		return &refused{response.StatusCode}
	}
	_, c.deflate, err = socket.CheckResponse(response, key, socket.HandshakeOptions{Protocols: protocols, Deflate: true})
	return err
}

// next returns the next text. It answers pings, and a close frame, which is a
// *closed error.
func (c *client) next() (frame, error) {
	for {
		event, err := c.event()
		if err != nil {
			return frame{}, err
		}
		switch event.Kind {
		case socket.Message:
			return parseFrame(event.Data)
		case socket.Ping:
			if err := c.send(socket.OpPong, event.Data); err != nil {
				return frame{}, err
			}
		case socket.Close:
			end := &closed{wire.CloseCode(event.Code), string(event.Data)}
			_ = c.send(socket.OpClose, socket.AppendCloseBody(nil, event.Code, ""))
			return frame{}, end
		}
	}
}

// parseFrame reads a text. Those with a stamp, of which there are millions, it
// reads without a JSON parser, which takes ten times as long with the race
// detector; the stamp has a checksum of its own.
func parseFrame(data []byte) (f frame, err error) {
	if rest, found := bytes.CutPrefix(data, []byte(`{"type":"stamp","payload":"`)); found {
		payload, tail, found := bytes.Cut(rest, []byte(`","timestamp":"`))
		if !found || !bytes.HasSuffix(tail, []byte(`"}`)) {
			return f, fmt.Errorf("read %.80q: it is not as it was sent", data)
		}
		return frame{Type: "stamp", Payload: string(payload)}, nil
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("read %.80q: %w", data, err)
	}
	return f, nil
}

// event returns the next frame, without its own buffer: it holds until the next call.
func (c *client) event() (socket.Event, error) {
	for {
		event, rest, err := c.reader.Next(&clientSide, c.deflate, c.rest)
		if err != nil {
			return event, fmt.Errorf("the server broke the protocol: %w", err)
		}
		if c.rest = rest; event.Kind != socket.None {
			return event, nil
		}
		if c.silence > 0 {
			_ = c.SetReadDeadline(time.Now().Add(c.silence))
		}
		n, err := c.input.Read(c.buf[:])
		if c.rest = c.buf[:n]; err != nil {
			return event, err
		}
	}
}

// wait returns the next text of a type.
func (c *client) wait(kind string) (frame, error) {
	for {
		f, err := c.next()
		if err != nil || f.Type == kind {
			return f, err
		}
	}
}

// end reads to the end and returns how it came.
func (c *client) end() error {
	for {
		if _, err := c.next(); err != nil {
			return err
		}
	}
}

func (c *client) send(op socket.Opcode, data []byte) error {
	var mask [4]byte
	_, _ = rand.Read(mask[:]) // never fails, by its contract
	_, err := c.Write(socket.AppendMaskedFrame(nil, op, data, mask))
	return err
}

func (c *client) say(text string) error { return c.send(socket.OpText, []byte(text)) }

// subscribe subscribes to a topic, without waiting for the reply.
func (c *client) subscribe(topic string) error {
	return c.say(fmt.Sprintf(`{"action":"subscribe","topic":%q,"ref":1}`, topic))
}

// closeCode returns the code a client was closed with, 0 when there was none.
func closeCode(err error) wire.CloseCode {
	var end *closed
	if errors.As(err, &end) {
		return end.code
	}
	return 0
}
