package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Proxy forwards connections to one target.
type Proxy struct {
	target   string
	plan     func(n int) Plan
	listener *net.TCPListener
	ctx      context.Context // of dials to the target; ends with Close
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	conns  map[*Conn]struct{} // guarded by mu
	closed bool               // guarded by mu
}

// errClosed is the error of a proxy that has been closed.
var errClosed = errors.New("faultproxy: the proxy is closed")

// New starts a proxy to a TCP address. plan returns the plan of the n-th
// connection that is made to Addr, counted from 0, and is called by one
// goroutine; nil: all are forwarded. The caller must Close it.
func New(target string, plan func(n int) Plan) (*Proxy, error) {
	listener, err := net.ListenTCP("tcp4", loopback())
	if err != nil {
		return nil, fmt.Errorf("faultproxy: listen: %w", err)
	}
	if plan == nil {
		plan = func(int) Plan { return Plan{} }
	}
	p := &Proxy{target: target, plan: plan, listener: listener, conns: map[*Conn]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Go(p.accept)
	return p, nil
}

func loopback() *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// Addr returns where clients connect, as host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Conns returns the connections there are, in no order.
func (p *Proxy) Conns() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := make([]*Conn, 0, len(p.conns))
	for c := range p.conns {
		conns = append(conns, c)
	}
	return conns
}

// Do does an action to the ways of all connections there are, see Conn.Do.
func (p *Proxy) Do(a Action, ways ...Way) {
	for _, c := range p.Conns() {
		c.Do(a, ways...)
	}
}

// Dial connects to the target through the proxy and returns the client's side
// and the connection between. The plan holds from the first octet. The caller
// closes conn; the link ends by itself when both sides have.
func (p *Proxy) Dial(ctx context.Context, plan Plan) (conn net.Conn, link *Conn, err error) {
	server, err := p.dialTarget(ctx)
	if err != nil {
		return nil, nil, err
	}
	near, far, err := pair(ctx)
	if err != nil {
		_ = server.Close()
		return nil, nil, err
	}
	link = newConn(far, server, plan)
	if !p.start(link) {
		_ = near.Close()
		return nil, nil, errClosed
	}
	return near, link, nil
}

func (p *Proxy) dialTarget(ctx context.Context) (*net.TCPConn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		return nil, fmt.Errorf("faultproxy: connect to the target: %w", err)
	}
	return conn.(*net.TCPConn), nil
}

// pair returns the two ends of a new TCP connection.
func pair(ctx context.Context) (near, far *net.TCPConn, err error) {
	listener, err := net.ListenTCP("tcp4", loopback())
	if err != nil {
		return nil, nil, fmt.Errorf("faultproxy: listen: %w", err)
	}
	defer func() { _ = listener.Close() }()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		return nil, nil, fmt.Errorf("faultproxy: connect: %w", err)
	}
	far, err = listener.AcceptTCP()
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("faultproxy: accept: %w", err)
	}
	return conn.(*net.TCPConn), far, nil
}

// start runs a connection. It closes both sockets and returns false when the
// proxy is closed.
func (p *Proxy) start(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.close(false)
		return false
	}
	p.conns[c] = struct{}{}
	p.running.Go(func() {
		c.run()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	})
	return true
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept() {
	for n := 0; ; n++ {
		client, err := p.listener.AcceptTCP()
		if err != nil {
			return
		}
		plan := p.plan(n)
		p.running.Go(func() { p.connect(client, plan) })
	}
}

// connect joins a client to the target; where that cannot be reached the client
// is reset, as it would be without a proxy.
func (p *Proxy) connect(client *net.TCPConn, plan Plan) {
	server, err := p.dialTarget(p.ctx)
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	p.start(newConn(client, server, plan))
}

// Close cuts all connections and returns when every goroutine has ended. It is
// idempotent.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	err := p.listener.Close()
	p.Do(Cut)
	p.running.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("faultproxy: close: %w", err)
	}
	return nil
}
