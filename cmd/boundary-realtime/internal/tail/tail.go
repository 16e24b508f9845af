package tail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/wire"
)

// Options say what to connect to and where to write.
type Options struct {
	URL    string                 // ws://host:port/path or wss://
	Topics []string               // to subscribe to
	Count  int                    // of messages after which to end; 0: no limit
	Token  func() (string, error) // asked for each connection, so that a new token is used
	Out    io.Writer              // one line of JSON for each message
	Status io.Writer              // what happens to the connection, for people
}

// Stopped is the end of a client that must not reconnect.
type Stopped struct {
	Code   wire.CloseCode
	Reason string
}

func (e *Stopped) Error() string {
	return fmt.Sprintf("the server closed the connection for good: %d %s", e.Code, e.Reason)
}

// Run prints what arrives until ctx is done or Count messages are printed, which is
// no error, or the server says not to come back: then the error is a Stopped. An error of Token or Out,
// a refused subscription and an answer that is not a WebSocket's end it too.
func Run(ctx context.Context, o Options) error {
	var b backoff
	left := o.Count
	for {
		c := client{Options: o, left: left}
		start := time.Now()
		err := c.session(ctx)
		if ctx.Err() != nil || errors.Is(err, errEnough) {
			return nil
		}
		left = c.left
		var lost *loss
		if !errors.As(err, &lost) {
			return fmt.Errorf("tail: %w", err)
		}
		delay := b.next(lost.code, c.returnAfter, time.Since(start))
		c.say("%v; reconnecting in %v", lost, delay.Round(time.Millisecond))
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil
		}
	}
}

// loss is the end of a connection, or a failed attempt to make one, after which
// the client comes back.
type loss struct {
	code wire.CloseCode
	err  error
}

func (e *loss) Error() string { return e.err.Error() }

func (e *loss) Unwrap() error { return e.err }

// errEnough says that as many messages were printed as were asked for.
var errEnough = errors.New("enough messages")

// client is one connection.
type client struct {
	Options
	conn        *websocket.Conn
	left        int           // messages to print until the end; without a limit it begins at 0 and goes below
	silence     time.Duration // after which the line is dead; 0: never
	returnAfter time.Duration // asked for by $closing
}

const (
	dialTimeout = 10 * time.Second
	maxMessage  = 64 << 20        // bytes; the server has its own, lower limit
	pingSlack   = 5 * time.Second // how late a ping may be
)

// session connects and prints until the connection ends. It never returns nil.
func (c *client) session(ctx context.Context) error {
	if err := c.dial(ctx); err != nil {
		return err
	}
	defer func() { _ = c.conn.CloseNow() }()
	// A read that is cancelled drops the line; closing ends it too, and politely.
	defer context.AfterFunc(ctx, func() { _ = c.conn.Close(websocket.StatusNormalClosure, "") })()
	c.conn.SetReadLimit(maxMessage)
	for {
		text, err := c.read(context.WithoutCancel(ctx))
		if err != nil {
			return c.ending(err)
		}
		if err := c.take(ctx, text); err != nil {
			if errors.Is(err, errEnough) {
				_ = c.conn.Close(websocket.StatusNormalClosure, "") // it ends in any case
			}
			return err
		}
	}
}

func (c *client) dial(ctx context.Context) error {
	token, err := c.Token()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, c.URL, &websocket.DialOptions{
		Subprotocols: []string{wire.Subprotocol}, // refusals then come as close codes
		HTTPHeader:   http.Header{"Authorization": {"Bearer " + token}},
	})
	if err == nil {
		c.conn = conn
		return nil
	}
	if response != nil && response.StatusCode < 500 {
		return fmt.Errorf("cannot connect: %w%s", withoutURL(err), answer(response))
	}
	if response == nil {
		return &loss{code: 1006, err: fmt.Errorf("cannot connect: %w; is the server running? --url or REALTIME_URL says where it is", withoutURL(err))}
	}
	return &loss{code: 1006, err: fmt.Errorf("cannot connect: %w", withoutURL(err))}
}

// answer returns what the server said when it refused to upgrade.
func answer(response *http.Response) string {
	if response.Body == nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 512))
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return ""
	}
	return ": " + string(text)
}

// withoutURL drops the address from an error: its query may hold a token.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func (c *client) read(ctx context.Context) ([]byte, error) {
	if c.silence > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.silence)
		defer cancel()
	}
	_, text, err := c.conn.Read(ctx)
	return text, err
}

// ending decides whether a client comes back after a failed read: by the code, or
// because the server has said when.
func (c *client) ending(err error) error {
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return &loss{code: 1006, err: fmt.Errorf("connection lost: %w", withoutURL(err))}
	}
	code := wire.CloseCode(closed.Code)
	if !code.Reconnect() && c.returnAfter == 0 {
		return &Stopped{code, closed.Reason}
	}
	return &loss{code: code, err: fmt.Errorf("connection closed: %d %s", code, closed.Reason)}
}

// take prints a message, or does what a frame of the server asks for.
func (c *client) take(ctx context.Context, text []byte) error {
	frame, err := wire.DecodeFrame(text)
	if err != nil {
		return c.print(text) // an application may send any text
	}
	switch f := frame.(type) {
	case wire.Connected:
		c.say("connected as %s, connection %s", f.UserID, f.ConnectionID)
		c.silence = longestSilence(f.PingInterval)
		return c.subscribe(ctx)
	case wire.Reply:
		if f.Err != nil {
			return fmt.Errorf("subscribe: %w", f.Err)
		}
		c.say("subscribed to %s", f.Topic)
	case wire.Closing:
		c.returnAfter = f.ReconnectAfter
		c.say("the server is closing the connection: %s", f.Reason)
	case wire.Delivery:
		return c.print(text)
	}
	return nil
}

// longestSilence returns after which time without a ping a connection is dead; 0: never.
func longestSilence(pingInterval time.Duration) time.Duration {
	if pingInterval == 0 {
		return 0
	}
	return 2*pingInterval + pingSlack
}

func (c *client) subscribe(ctx context.Context) error {
	for i, topic := range c.Topics {
		command := wire.EncodeCommand(wire.Subscribe{Topic: topic}, strconv.AppendInt(nil, int64(i+1), 10))
		if err := c.conn.Write(ctx, websocket.MessageText, command); err != nil {
			return &loss{code: 1006, err: fmt.Errorf("connection lost: %w", withoutURL(err))}
		}
	}
	return nil
}

// print writes a message as one line; what is not JSON as it came.
func (c *client) print(text []byte) error {
	var line bytes.Buffer
	if json.Compact(&line, text) != nil {
		line.Reset()
		line.Write(text)
	}
	line.WriteByte('\n')
	if _, err := c.Out.Write(line.Bytes()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if c.left--; c.left == 0 {
		return errEnough
	}
	return nil
}

// say tells the person who watches. Nothing depends on whether they can read it.
func (c *client) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.Status, format+"\n", args...)
}
