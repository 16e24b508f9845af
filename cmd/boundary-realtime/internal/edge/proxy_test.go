package edge

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pires/go-proxyproto"

	"boundary-app.org/realtime/internal/origin"
)

var (
	loopback = origin.Proxies{netip.MustParsePrefix("127.0.0.0/8")}
	client4  = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711}
	server4  = &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 443}
	client6  = &net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 4711}
	server6  = &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 443}
)

// header returns a header, of version 2 with what proxies add to it.
func header(version byte, client, server net.Addr) string {
	h := proxyproto.HeaderProxyFromAddrs(version, client, server)
	if version == 2 {
		_ = h.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_AUTHORITY, Value: []byte("example.com")}})
	}
	text, err := h.Format()
	if err != nil {
		panic(err)
	}
	return string(text)
}

const local = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"

// answerAddress answers with the address that a request comes from.
func answerAddress(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }

// The address of a request is the one that the proxy says.
func TestProxyHeaders(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ header, want string }{
		"1, IPv4":           {header(1, client4, server4), "192.0.2.7:4711"},
		"1, IPv6":           {header(1, client6, server6), "[2001:db8::7]:4711"},
		"1, unknown client": {"PROXY UNKNOWN\r\n", "unknown"},
		"2, IPv4":           {header(2, client4, server4), "192.0.2.7:4711"},
		"2, IPv6":           {header(2, client6, server6), "[2001:db8::7]:4711"},
		"2, unknown client": {header(2, &net.UnixAddr{Net: "unix", Name: "a"}, &net.UnixAddr{Net: "unix", Name: "b"}), "unknown"},
		"2, of the proxy":   {local, ""},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(name+" tls="+strconv.FormatBool(secure), func(t *testing.T) {
				t.Parallel()
				inner := listen(t)
				serve(t, inner, Options{Proxies: loopback}, secure, answerAddress)
				raw := dial(t, inner)
				want := test.want
				if want == "" {
					want = raw.LocalAddr().String()
				}
				write(t, raw, test.header)
				c := over(raw, secure)
				for range 2 { // the second request of a connection has no header
					write(t, c, get)
					response, err := http.ReadResponse(c.in, nil)
					if err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(response.Body); err != nil || string(got) != want {
						t.Errorf("the address is %q (%v), want %q", got, err, want)
					}
				}
			})
		}
	}
}

// A header need not come at once, nor alone.
func TestProxyHeaderInPieces(t *testing.T) {
	t.Parallel()
	for _, text := range []string{header(1, client4, server4), header(2, client6, server6)} {
		text += get
		for _, cut := range []int{1, 5, 6, 16, len(text) - len(get), len(text) - len(get) + 1, len(text)} {
			in := newPipes()
			serve(t, in, Options{Proxies: loopback}, false, answerAddress)
			conn := in.dial()
			go func() {
				_, _ = io.WriteString(conn, text[:cut])
				_, _ = io.WriteString(conn, text[cut:])
			}()
			if status := (client{conn, bufio.NewReader(conn)}).status(t); status != 200 {
				t.Errorf("cut at %d: %d", cut, status)
			}
			_ = conn.Close()
		}
	}
}

// What does not begin with a header is not answered.
func TestRefusedProxyHeaders(t *testing.T) {
	t.Parallel()
	good := header(2, client4, server4)
	for name, text := range map[string]string{
		"no header":         get,
		"garbage":           strings.Repeat("\x16\x03\x01", 100),
		"1, no addresses":   "PROXY TCP4\r\n" + get,
		"1, bad address":    "PROXY TCP4 192.0.2.300 192.0.2.1 1 2\r\n" + get,
		"1, bad port":       "PROXY TCP4 192.0.2.3 192.0.2.1 1 65536\r\n" + get,
		"1, without end":    "PROXY TCP4 " + strings.Repeat("1", 1000),
		"1, in lower case":  "proxy TCP4 192.0.2.3 192.0.2.1 1 2\r\n" + get,
		"2, other version":  good[:12] + "\x31" + good[13:] + get,
		"2, other command":  good[:12] + "\x2f" + good[13:] + get,
		"2, other family":   good[:13] + "\x51" + good[14:] + get,
		"2, short":          good[:14] + "\x00\x04" + good[16:20] + get,
		"2, long":           good[:14] + "\xff\xff" + strings.Repeat("a", 70_000),
		"2, half signature": good[:8] + get,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := listen(t)
			r := serve(t, inner, Options{Proxies: loopback}, false, answerAddress)
			conn := dial(t, inner)
			_, _ = io.WriteString(conn, text)
			if got, _ := io.ReadAll(conn); len(got) > 0 { // the connection may be reset
				t.Errorf("the answer is %q", got)
			}
			r.line(t, "reason=proxy_header address="+conn.LocalAddr().String())
			if n := r.total(t, "realtime_http_refusals_total", "proxy_header"); n != 1 {
				t.Errorf("%v were counted, want 1", n)
			}
		})
	}
}

// A balancer that looks whether the port is open is no news.
func TestProxyThatSendsNothing(t *testing.T) {
	t.Parallel()
	inner := listen(t)
	r := serve(t, inner, Options{Proxies: loopback}, false, answerAddress)
	conn := dial(t, inner)
	_ = conn.CloseWrite()
	if got, err := io.ReadAll(conn); len(got) > 0 || err != nil {
		t.Errorf("read %q (%v)", got, err)
	}
	if n := r.total(t, "realtime_http_refusals_total", ""); n != 0 || len(r.lines) > 0 {
		t.Errorf("%v were counted and %d lines logged, want none", n, len(r.lines))
	}
}

func TestSlowProxyHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := newPipes()
		r := serve(t, in, Options{Proxies: loopback}, false, answerAddress)
		conn := in.dial()
		begin := time.Now()
		for _, b := range header(1, client4, server4) {
			if _, err := conn.Write([]byte{byte(b)}); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if after := time.Since(begin); after < 5*time.Second || after > 7*time.Second {
			t.Errorf("cut after %v, want 5 s", after)
		}
		if n := r.total(t, "realtime_opening_timeouts_total", ""); n != 1 {
			t.Errorf("%v were counted, want 1", n)
		}
	})
}

// Only listed proxies may come, whatever they say.
func TestUntrustedPeer(t *testing.T) {
	t.Parallel()
	inner := listen(t)
	r := serve(t, inner, Options{Proxies: origin.Proxies{netip.MustParsePrefix("192.0.2.0/24")}}, false, answerAddress)
	conn := dial(t, inner)
	_, _ = io.WriteString(conn, header(1, client4, server4)+get)
	if got, _ := io.ReadAll(conn); len(got) > 0 { // the connection may be reset
		t.Errorf("the answer is %q", got)
	}
	r.line(t, "reason=untrusted_peer address="+conn.LocalAddr().String())
	if n := r.total(t, "realtime_http_refusals_total", "untrusted_peer"); n != 1 {
		t.Errorf("%v were counted, want 1", n)
	}
}

// Exactly the header is read, and it says what it says to the library.
func FuzzProxyHeader(f *testing.F) {
	for _, text := range []string{header(1, client4, server4), header(2, client6, server6), local, "PROXY UNKNOWN\r\n", get, ""} {
		f.Add([]byte(text + get))
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		ours := bytes.NewReader(input)
		client, err := readProxyHeader(ours)
		all := bufio.NewReaderSize(bytes.NewReader(input), len(input)+16)
		theirs, theirErr := proxyproto.Read(all)
		if (err == nil) != (theirErr == nil) {
			t.Fatalf("%v, and of the library %v", err, theirErr)
		}
		if err != nil {
			return
		}
		if rest, _ := io.ReadAll(all); ours.Len() != len(rest) {
			t.Fatalf("%d bytes are left, want %d", ours.Len(), len(rest))
		}
		if source, _, ok := theirs.TCPAddrs(); ok && client != nil && !cmp.Equal(client.String(), source.String()) {
			t.Fatalf("the client is %v, want %v", client, source)
		}
	})
}
