package engine

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newEngine(t testing.TB, change func(*Config)) *Engine {
	t.Helper()
	e := New(newConfig(change))
	t.Cleanup(e.Stop)
	return e
}

func newConfig(change func(*Config)) Config {
	none := func() int { return 0 }
	cfg := Config{
		Shards: 2, MaxMessage: 64 << 10, MaxBacklog: 1 << 20, MaxInbox: 1 << 20,
		CloseTimeout: 5 * time.Second,
		Metrics:      metrics.New(none, none, none), Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// peer is a connection as a test sees it: what the engine wrote to it, and the
// calls of its handler.
type peer struct {
	Conn
	received chan []byte
	ended    chan ending
	gate     chan struct{} // closed when the peer begins to read; nil: it reads at once

	client net.Conn // the client's side; nil with a Transport

	mu       sync.Mutex
	texts    []string
	closed   chan struct{} // the close frame, or the end without one, has come
	close    func()        // of closed; idempotent
	closeRaw []byte
}

func newPeer() *peer {
	p := &peer{received: make(chan []byte, 100), ended: make(chan ending, 1), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

// Receive and Closed are the handler.
func (p *peer) Receive(_ bool, data []byte)       { p.received <- data }
func (p *peer) Closed(code uint16, reason string) { p.ended <- ending{code, reason} }

// closeGate keeps the peer from reading until read is called.
func (p *peer) closeGate(t testing.TB) (read func()) {
	p.gate = make(chan struct{})
	read = sync.OnceFunc(func() { close(p.gate) })
	t.Cleanup(read)
	return read
}

func (p *peer) await() {
	if p.gate != nil {
		<-p.gate
	}
}

func (p *peer) log() []string {
	<-p.closed
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.texts
}

func (p *peer) note(op socket.Opcode, payload []byte) (more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch op {
	case socket.OpText:
		p.texts = append(p.texts, string(payload))
	case socket.OpClose:
		p.closeRaw = bytes.Clone(payload)
		p.close()
		return false
	}
	return true
}

// path is one of the ways to a client. Both ways show the same behaviour.
type path struct {
	name    string
	connect func(t testing.TB, p *peer) (spec Spec)
}

var paths = []path{
	{"loop", func(t testing.TB, p *peer) Spec {
		server := p.attach(tcpPair(t))
		return Spec{Conn: server, Prelude: []byte("hello\n")}
	}},
	{"deflate", func(t testing.TB, p *peer) Spec { // short messages travel plain all the same
		server := p.attach(tcpPair(t))
		return Spec{Conn: server, Prelude: []byte("hello\n"), Deflate: true}
	}},
	{"off loop", func(t testing.TB, p *peer) Spec {
		server := p.attach(tcpPair(t))
		return Spec{Conn: opaque{server}, Prelude: []byte("hello\n")}
	}},
	{"tls", func(t testing.TB, p *peer) Spec {
		server := p.attach(tlsPair(t))
		return Spec{Conn: server, Prelude: []byte("hello\n")}
	}},
	{"transport", func(_ testing.TB, p *peer) Spec { return Spec{Transport: p} }},
}

// attach makes the peer read the client's side of a pair.
func (p *peer) attach(server, client net.Conn) net.Conn {
	p.client = client
	go p.readFrames(client)
	return server
}

// Send and Close make a peer a Transport. (Conn's methods of these names are
// reached through the field.)
func (p *peer) Send(text []byte) error {
	p.await()
	p.note(socket.OpText, text)
	return nil
}

func (p *peer) Close(code uint16, _ string) error {
	p.note(socket.OpClose, binary.BigEndian.AppendUint16(nil, code))
	return nil
}

// opaque hides what a connection is.
type opaque struct{ net.Conn }

func tcpPair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return server, client
}

// certificate is made once for all tests. Its key and the curve of the handshake
// are those that cost least: the models make thousands of connections.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func tlsPair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	below, far := tcpPair(t)
	secure := tls.Server(below, &tls.Config{Certificates: []tls.Certificate{certificate()}, CurvePreferences: []tls.CurveID{tls.X25519}})
	client = tls.Client(far, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- secure.Handshake() }() // as net/http does before it calls a handler
	if err := errors.Join(client.(*tls.Conn).Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	return secure, client
}

// readFrames reads the prelude and unmasked frames until a close frame, and
// answers it.
func (p *peer) readFrames(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	defer p.close()
	p.await()
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || line != "hello\n" {
		return
	}
	for {
		head, err := r.Peek(2)
		if err != nil {
			return
		}
		if n := map[byte]int{126: 4, 127: 10}[head[1]]; n > 0 {
			if head, err = r.Peek(n); err != nil {
				return
			}
		}
		header, size, _ := socket.FrameLen(head)
		frame := make([]byte, header+size)
		if _, err := io.ReadFull(r, frame); err != nil {
			return
		}
		payload := frame[header:]
		if frame[0]&0x40 != 0 {
			if payload, err = inflate(payload); err != nil {
				return
			}
		}
		if !p.note(socket.Opcode(frame[0]&0x0f), payload) {
			_, _ = conn.Write(socket.AppendMaskedFrame(nil, socket.OpClose, frame[header:], [4]byte{1, 2, 3, 4}))
			_, _ = io.Copy(io.Discard, r)
			return
		}
	}
}

// inflate undoes permessage-deflate (RFC 7692 section 7.2.2).
func inflate(data []byte) ([]byte, error) {
	const end = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(data), strings.NewReader(end))))
}

// register connects a peer and opens it.
func register(t testing.TB, e *Engine, way path, p *peer, user string, roles ...string) {
	t.Helper()
	spec := way.connect(t, p)
	spec.User, spec.Roles, spec.Handler = user, roles, p
	if err := e.Register(&p.Conn, spec); err != nil {
		t.Fatal(err)
	}
	p.Open([]byte("open"))
}
