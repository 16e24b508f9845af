package edge

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"

	"boundary-app.org/realtime/internal/origin"
)

// proxied is the result of reading the PROXY header of a connection.
type proxied struct {
	once   sync.Once
	client net.Addr // nil: the proxy itself
	err    error
}

// trusts reports whether the peer of a connection is a listed proxy.
func trusts(proxies origin.Proxies, accepted net.Conn) bool {
	peer, ok := accepted.RemoteAddr().(*net.TCPAddr)
	return ok && proxies.Trusts(peer.AddrPort().Addr())
}

// RemoteAddr returns the address of the client. With the PROXY protocol the first call
// waits for the header; net/http makes it on the connection's own goroutine.
func (c *conn) RemoteAddr() net.Addr {
	if c.introduce() == nil && c.proxied != nil && c.proxied.client != nil {
		return c.proxied.client
	}
	return c.Conn.RemoteAddr()
}

// introduce reads the PROXY header, once. After an error the connection is closed.
func (c *conn) introduce() error {
	p := c.proxied
	if p == nil {
		return nil
	}
	p.once.Do(func() {
		_ = c.Conn.SetReadDeadline(time.Now().Add(c.listener.opts.HeaderTimeout))
		if p.client, p.err = readProxyHeader(c.Conn); p.err != nil {
			c.refuseProxy(p.err)
			return
		}
		_ = c.Conn.SetReadDeadline(time.Time{})
	})
	return p.err
}

func (c *conn) refuseProxy(err error) {
	_ = c.Conn.Close()
	if errors.Is(err, errNoByte) {
		return // such as a balancer's check that the port is open
	}
	c.listener.report(slog.LevelWarn, proxyHeader,
		"a connection was refused: proxy_protocol is on, and the connection does not begin with a PROXY header",
		c.Conn.RemoteAddr().String(), "error", err)
}

// errNoByte reports a connection that was closed before its first byte.
var errNoByte = errors.New("edge: PROXY header: the connection was closed before its first byte")

// readProxyHeader reads a PROXY header, version 1 or 2, and not a byte more: a WebSocket
// that takes over the connection reads the rest from the socket. It returns the address of
// the client, nil if the connection is the proxy's own.
func readProxyHeader(r io.Reader) (net.Addr, error) {
	text, err := frameProxyHeader(r)
	if err != nil {
		return nil, err
	}
	header, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("edge: PROXY header: %w", err)
	}
	if header.Version == 2 && header.Command.IsLocal() {
		return nil, nil
	}
	if client, _, ok := header.TCPAddrs(); ok {
		return client, nil
	}
	return unknownAddr{}, nil
}

// unknownAddr is the address of a client that the proxy does not know. It differs from the
// proxy's address, for which X-Forwarded-For of the client would be trusted.
type unknownAddr struct{}

func (unknownAddr) Network() string { return "tcp" }
func (unknownAddr) String() string  { return "unknown" }

// The sizes of headers in bytes.
const (
	v2Fixed  = 16 // the fixed part of version 2, which ends with the length of the rest
	v2Length = v2Fixed - 2
	v1Most   = 107 // version 1, with the end of the line
)

// frameProxyHeader reads the bytes of a header without checking their content.
func frameProxyHeader(r io.Reader) ([]byte, error) {
	text := make([]byte, len(proxyproto.SIGV1), v1Most)
	if n, err := io.ReadFull(r, text); n == 0 && errors.Is(err, io.EOF) {
		return nil, errNoByte
	} else if err != nil {
		return nil, fmt.Errorf("edge: PROXY header: %w", err)
	}
	more := func(n int) error {
		at := len(text)
		text = append(text, make([]byte, n)...)
		if _, err := io.ReadFull(r, text[at:]); err != nil {
			return fmt.Errorf("edge: PROXY header: %w", err)
		}
		return nil
	}
	switch {
	case bytes.Equal(text, proxyproto.SIGV1):
		for text[len(text)-1] != '\n' && len(text) < v1Most {
			if err := more(1); err != nil {
				return nil, err
			}
		}
		return text, nil
	case bytes.HasPrefix(proxyproto.SIGV2, text):
		if err := more(v2Fixed - len(text)); err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(text, proxyproto.SIGV2) {
			break
		}
		length := binary.BigEndian.Uint16(text[v2Length:])
		if length > proxyproto.MaxV2HeaderSize {
			return nil, fmt.Errorf("edge: PROXY header: %w", proxyproto.ErrInvalidLength)
		}
		return text, more(int(length))
	}
	return nil, fmt.Errorf("edge: PROXY header: %w", proxyproto.ErrNoProxyProtocol)
}
