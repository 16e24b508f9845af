package realtimetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// DialOption changes how a Client connects.
type DialOption func(*dialing)

// dialing is how a client connects.
type dialing struct {
	token     string
	protocols []string
	header    http.Header
}

// Subprotocol has a client offer boundary.realtime.v1 and bring its token as
// bearer.<token>, as a browser does. It receives $ping, and refusals as close codes. The
// token must consist of characters that a subprotocol may have, as a JWT does.
func Subprotocol() DialOption {
	return func(d *dialing) { d.protocols = []string{wire.Subprotocol, wire.BearerPrefix + d.token} }
}

// Header has a client send a header field, such as Origin.
func Header(name, value string) DialOption {
	return func(d *dialing) { d.header.Set(name, value) }
}

// Refusal is how a server has refused a client.
type Refusal struct {
	// Status is the HTTP status; 101 for a client that was upgraded and then closed.
	Status int
	// Code is the close code of a client that was upgraded, else 0.
	Code realtime.CloseCode
	// Reason is the text of the answer, or of the close frame.
	Reason string
	// RetryAfter is when the client may try again; 0: the server has not said so.
	RetryAfter time.Duration
}

// String returns the refusal for people.
func (r Refusal) String() string {
	return fmt.Sprintf("it was refused with status %d, code %d: %s", r.Status, r.Code, r.Reason)
}

// Dial connects a WebSocket client for an identity and waits for its $connected
// frame, after which everything that is sent to it reaches it.
func (s *Server) Dial(t testing.TB, id realtime.Identity, opts ...DialOption) *Client {
	t.Helper()
	return s.DialToken(t, s.Token(id), opts...)
}

// DialToken is Dial with a token, for servers with a Verifier of your own.
func (s *Server) DialToken(t testing.TB, token string, opts ...DialOption) *Client {
	t.Helper()
	c, refused := s.dial(t, token, opts)
	if refused != nil {
		t.Fatalf("realtimetest: dial: %v", refused)
	}
	return c
}

// DialRefused connects a client that the server is to refuse, and returns how it
// did. The test fails when the client is connected.
func (s *Server) DialRefused(t testing.TB, token string, opts ...DialOption) Refusal {
	t.Helper()
	_, refused := s.dial(t, token, opts)
	if refused == nil {
		t.Fatal("realtimetest: dial: the client is connected")
	}
	return *refused
}

// dial connects a client, or returns how it was refused. Anything else fails the test.
func (s *Server) dial(t testing.TB, token string, opts []DialOption) (*Client, *Refusal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		t.Fatalf("realtimetest: dial: %v", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	d := dialing{token: token, header: http.Header{}}
	for _, option := range opts {
		option(&d)
	}
	input, refused, err := d.upgrade(conn)
	if err != nil || refused != nil {
		_ = conn.Close()
		if err != nil {
			t.Fatalf("realtimetest: dial: %v", err)
		}
		return nil, refused
	}
	c := newClient(conn, input)
	t.Cleanup(c.stop)
	if refused, err = c.greet(ctx); err != nil {
		t.Fatalf("realtimetest: dial: %v", err)
	}
	return c, refused
}

// upgrade makes the opening handshake and returns what to read frames from, or how
// the request was refused.
func (d dialing) upgrade(conn net.Conn) (io.Reader, *Refusal, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+conn.RemoteAddr().String()+"/", nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header = d.header
	offer := socket.HandshakeOptions{Protocols: d.protocols}
	key := socket.SetRequest(request.Header, offer)
	if len(d.protocols) == 0 {
		request.Header.Set("Authorization", "Bearer "+d.token)
	}
	if err := request.Write(conn); err != nil {
		return nil, nil, err
	}
	input := bufio.NewReader(conn)
	response, err := http.ReadResponse(input, request)
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, refusalIn(response), nil
	}
	protocol, _, err := socket.CheckResponse(response, key, offer)
	if err == nil && len(d.protocols) > 0 && protocol != wire.Subprotocol {
		err = errors.New("the server did not answer the subprotocol " + wire.Subprotocol)
	}
	return input, nil, err
}

// refusalIn reads an answer that is no upgrade.
func refusalIn(response *http.Response) *Refusal {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 512)) // for people
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return &Refusal{
		Status: response.StatusCode, Reason: strings.TrimSpace(string(body)), RetryAfter: time.Duration(seconds) * time.Second,
	}
}

// greet waits for $connected, or returns how the client was refused.
func (c *Client) greet(ctx context.Context) (*Refusal, error) {
	frames, err := c.WaitFrames(ctx, 1)
	if errors.Is(err, realtime.ErrClosed) || err == nil && frames[0].Type == "$closing" {
		code, reason, err := c.WaitClosed(ctx)
		_, after, _ := c.Closing()
		return &Refusal{Status: http.StatusSwitchingProtocols, Code: code, Reason: reason, RetryAfter: after}, err
	}
	if err != nil {
		return nil, err
	}
	connected, ok := frames[0].Frame.(wire.Connected)
	if !ok {
		return nil, fmt.Errorf("the first frame is %q", frames[0].Text)
	}
	c.ID = connected.ConnectionID
	return nil, nil
}
