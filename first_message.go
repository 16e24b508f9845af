package realtime

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"boundary-app.org/realtime/internal/session"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// What a client may do before it has said who it is.
const (
	firstMessageTime     = 5 * time.Second // from the upgrade on
	firstMessageSize     = 16 << 10
	firstMessageControls = 64 // frames: pings for the most part, and a client needs none

	// verifyTime is how long its token may then take to be verified.
	verifyTime = 10 * time.Second
)

const askForToken = `send {"action":"connect","token":"..."} as the first message, within 5 s`

// awaitToken upgrades a client that brings its token as the first message, and
// waits for it. From there on all is as if it had brought it with the request,
// whose values are not looked at once ServeHTTP has returned: routers use them
// again.
func (e *endpoint) awaitToken(w http.ResponseWriter, r *http.Request, u upgrade) {
	s := e.service
	release, refused := s.reserve(u.clientKey)
	if refused != nil {
		e.refuse(w, u, refused)
		return
	}
	defer s.life.opening.Done()
	conn, buffered, ok := e.hijack(w)
	if !ok {
		cannotUpgrade(w)
		release()
		return
	}
	c := &pendingConn{Conn: conn, endpoint: e, upgrade: u}
	c.accept(r.Context(), buffered, sync.OnceFunc(release))
}

// accept makes the client a connection, or rejects it.
func (c *pendingConn) accept(values context.Context, input []byte, release func()) {
	e := c.endpoint
	defer release()
	refused := refuse(internalError, reasonInternal, "internal error") // when the Verifier ends its goroutine
	defer func() {
		if refused != nil {
			e.reject(c.Conn, c.attempt, nil, refused)
		}
	}()
	rest, refused := c.introduce(callbackContext{e.service.life.admitting, values}, input)
	if refused != nil {
		return
	}
	release() // however long OnOpen takes
	spec := c.spec(c.Conn)
	spec.Buffered = rest
	refused = e.begin(values, c.attempt, spec)
}

// reserve takes a slot for an unauthenticated client of an address; call release to
// free it, and life.opening.Done when the client has become a connection, or left.
func (s *Service) reserve(clientKey string) (release func(), refused *refusal) {
	err := s.life.admit(func() (err error) {
		release, err = s.hold(clientKey)
		return err
	})
	if err != nil {
		return nil, registerRefusal(err, true)
	}
	return release, nil
}

// hold counts an unauthenticated client among them, and for its address.
func (s *Service) hold(clientKey string) (release func(), err error) {
	if err := s.pending.add(clientKey); err != nil {
		return nil, err
	}
	unhold, err := s.engine.Hold(clientKey)
	if err != nil {
		s.pending.remove(clientKey)
		return nil, err
	}
	return func() {
		s.pending.remove(clientKey)
		unhold()
	}, nil
}

// pendingConn is an upgraded client whose token has not come. It belongs to the
// goroutine of its request, which Shutdown waits for.
type pendingConn struct {
	net.Conn
	upgrade
	endpoint *endpoint
	reader   socket.Reader
}

// introduce reads and verifies the token, and returns what the client sent behind
// it. When ctx, of the service, is done, it gives up at once.
func (c *pendingConn) introduce(ctx context.Context, input []byte) (rest []byte, refused *refusal) {
	_ = c.SetDeadline(time.Now().Add(firstMessageTime))
	hurry := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer hurry()
	token, rest, refused := c.readToken(input)
	if refused == nil {
		refused = c.verify(ctx, token)
	}
	if !hurry() || ctx.Err() != nil {
		return nil, drainRefusal(c.subprotocol)
	}
	_ = c.SetDeadline(time.Time{})
	return rest, refused
}

// verify verifies the token, for a bounded time: the client holds a slot.
func (c *pendingConn) verify(ctx context.Context, token string) *refusal {
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	return c.endpoint.admitToken(ctx, &c.attempt, token)
}

// readToken answers the upgrade and reads until the first message.
func (c *pendingConn) readToken(input []byte) (token string, rest []byte, refused *refusal) {
	if _, err := c.Write(c.handshake.AppendResponse(nil)); err != nil {
		return "", nil, failed(err)
	}
	limits := socket.Config{MaxMessage: firstMessageSize}
	buf := make([]byte, 1<<10)
	for controls := 0; controls < firstMessageControls; {
		event, rest, err := c.reader.Next(&limits, c.handshake.Deflate, input)
		switch {
		case err != nil:
			return "", nil, failed(err)
		case event.Kind == socket.None:
			n, err := c.Read(buf)
			if n == 0 && err != nil {
				return "", nil, failed(err)
			}
			input = buf[:n]
			continue
		case event.Kind == socket.Message:
			token, refused = tokenIn(event)
			return token, rest, refused
		}
		if refused := c.control(event); refused != nil {
			return "", nil, refused
		}
		input = rest
		controls++
	}
	return "", nil, refuse(outcome{code: CloseTooManyRequests}, "first_message", "too many pings before the first message")
}

func tokenIn(message socket.Event) (token string, refused *refusal) {
	data, marked := session.TrimBOM(message.Data)
	connect, ok := wire.ParseConnect(data)
	text := askForToken
	switch {
	case message.Op != socket.OpText:
		text = "the first message came in a binary frame; send it as a text frame"
	case ok && marked:
		text = "the first message begins with a byte order mark; send JSON without it"
	case ok:
		return connect.Token, nil
	}
	return "", refuse(badRequest, "first_message", text)
}

// control answers what is not a message.
func (c *pendingConn) control(event socket.Event) *refusal {
	switch event.Kind {
	case socket.Ping:
		if _, err := c.Write(socket.AppendFrame(nil, socket.OpPong, event.Data)); err != nil {
			return failed(err)
		}
	case socket.Close:
		return refuse(outcome{code: CloseCode(event.Code)}, "left", "").because("the client closed the connection before its first message")
	}
	return nil
}

// failed is the refusal of a client that broke the protocol, was too slow, or
// went away.
func failed(err error) *refusal {
	var violation *socket.ProtocolError
	switch {
	case errors.As(err, &violation):
		return refuse(outcome{code: CloseCode(violation.Code)}, "first_message", violation.Text)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(badRequest, "first_message_late", askForToken)
	}
	return refuse(outcome{code: CloseCode(socket.CloseAbnormal)}, "left", "").because("the connection ended before the first message")
}

// How many unauthenticated clients a service has at a time, and how many of them
// from one address: a single client leaves room for others.
const (
	maxPending          = 2048
	maxPendingOfAddress = maxPending / 4
)

// pendingLimiter counts unauthenticated clients, in all and by address. The zero
// value counts none. Safe for concurrent use.
type pendingLimiter struct {
	mu   sync.Mutex
	all  int            // guarded by mu
	from map[string]int // guarded by mu; without zeros
}

// add counts one more client of an address.
func (l *pendingLimiter) add(address string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.all >= maxPending:
		return errPendingFull
	case l.from[address] >= maxPendingOfAddress:
		return errPendingAddressFull
	case l.from == nil:
		l.from = map[string]int{}
	}
	l.all++
	l.from[address]++
	return nil
}

func (l *pendingLimiter) remove(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[address]--; l.from[address] == 0 {
		delete(l.from, address)
	}
}
