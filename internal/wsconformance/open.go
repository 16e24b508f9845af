package wsconformance

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// guid proves that a server understands the handshake, RFC 6455 section 1.3.
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + guid))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// field is one header field, of a request or an answer.
type field struct{ name, value string }

// request is an opening handshake. Nothing about it has to be right.
type request struct {
	method, proto string
	fields        []field
}

func newRequest(host string, offers []string) request {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails, see its documentation
	r := request{"GET", "HTTP/1.1", []field{
		{"Host", host},
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(nonce[:])},
		{"Sec-WebSocket-Version", "13"},
	}}
	for _, offer := range offers {
		r.fields = append(r.fields, field{"Sec-WebSocket-Extensions", offer})
	}
	return r
}

// set replaces all fields of a name by some with these values.
func (r *request) set(name string, values ...string) {
	r.fields = slices.DeleteFunc(r.fields, func(f field) bool { return f.name == name })
	for _, value := range values {
		r.fields = append(r.fields, field{name, value})
	}
}

func (r *request) get(name string) string {
	i := slices.IndexFunc(r.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return ""
	}
	return r.fields[i].value
}

func (r *request) encode(path string) []byte {
	return encodeHead(fmt.Sprintf("%s %s %s", r.method, path, r.proto), r.fields)
}

func encodeHead(first string, fields []field) []byte {
	var b strings.Builder
	b.WriteString(first + "\r\n")
	for _, f := range fields {
		b.WriteString(f.name + ": " + f.value + "\r\n")
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// open performs the opening handshake with offers of extensions. A server's tester sends them; a
// client's tester accepts what the client offers, if there are any.
func (p *peer) open(offers []string) error {
	if !p.isClient {
		return p.accept(len(offers) > 0)
	}
	r := newRequest(p.host, offers)
	p.write(r.encode(p.path))
	return p.switched(r)
}

// switched reads a server's answer to a right request, and checks it.
func (p *peer) switched(r request) error {
	resp, err := p.response()
	if err != nil {
		return err
	}
	if err := checkSwitched(resp, r.get("Sec-WebSocket-Key")); err != nil {
		return fmt.Errorf("opening handshake: %w", err)
	}
	var offers []string
	for _, f := range r.fields {
		if f.name == "Sec-WebSocket-Extensions" {
			offers = append(offers, f.value)
		}
	}
	terms, err := agreed(resp.Header.Values("Sec-WebSocket-Extensions"), offers)
	if err != nil {
		return fmt.Errorf("opening handshake: %w", err)
	}
	if protocol := resp.Header.Values("Sec-WebSocket-Protocol"); len(protocol) > 1 ||
		len(protocol) == 1 && !slices.Contains(splitList([]string{r.get("Sec-WebSocket-Protocol")}), protocol[0]) {
		return fmt.Errorf("opening handshake: it answered the subprotocol %q, which was not offered", protocol)
	}
	p.use(terms)
	return nil
}

// response reads the answer to a request. The body of one that is no switch is left alone.
func (p *peer) response() (*http.Response, error) {
	p.awaitRead()
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		return nil, fmt.Errorf("opening handshake: %w", describe(err))
	}
	return resp, nil
}

func checkSwitched(resp *http.Response, key string) error {
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return fmt.Errorf("status %d instead of 101", resp.StatusCode)
	case !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket"):
		return errors.New("the answer lacks Upgrade: websocket")
	case !slices.ContainsFunc(splitList(resp.Header.Values("Connection")), func(s string) bool { return strings.EqualFold(s, "upgrade") }):
		return errors.New("the answer lacks Connection: Upgrade")
	case !slices.Equal(resp.Header.Values("Sec-WebSocket-Accept"), []string{acceptOf(key)}):
		return errors.New("the answer's Sec-WebSocket-Accept is wrong")
	}
	return nil
}

// use sets what was agreed; nil terms are no compression.
func (p *peer) use(terms deflateTerms) {
	ours, theirs := terms.directions()
	if !p.isClient {
		ours, theirs = theirs, ours
	}
	p.agreed, p.out.direction, p.in.direction = terms, ours, theirs
}

// accept answers a client's handshake, with compression if that is wanted and offered.
func (p *peer) accept(deflate bool) error {
	key, offers, err := p.request()
	if err != nil {
		return err
	}
	fields := switchFields(key)
	if deflate && offersDeflate(offers) {
		fields = append(fields, field{"Sec-WebSocket-Extensions", freshOffer})
		terms, err := parseTerms(freshOffer)
		if err != nil {
			return err
		}
		p.use(terms)
	}
	p.write(encodeHead("HTTP/1.1 101 Switching Protocols", fields))
	return nil
}

func offersDeflate(offers []string) bool {
	return slices.ContainsFunc(splitList(offers), func(entry string) bool {
		_, err := parseTerms(entry)
		return err == nil
	})
}

func switchFields(key string) []field {
	return []field{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", acceptOf(key)}}
}

// request reads a client's handshake and checks it, RFC 6455 section 4.1.
func (p *peer) request() (key string, offers []string, err error) {
	p.awaitRead()
	r, err := http.ReadRequest(p.r)
	if err != nil {
		return "", nil, fmt.Errorf("opening handshake: %w", describe(err))
	}
	key = r.Header.Get("Sec-WebSocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	switch {
	case err != nil || len(nonce) != 16:
		return "", nil, fmt.Errorf("opening handshake: the key %q is not 16 octets in base64", key)
	case r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) || r.Host == "":
		return "", nil, fmt.Errorf("opening handshake: %s %s with host %q", r.Method, r.Proto, r.Host)
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return "", nil, errors.New("opening handshake: the request lacks Upgrade: websocket")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return "", nil, fmt.Errorf("opening handshake: version %q", r.Header.Get("Sec-WebSocket-Version"))
	}
	return key, r.Header.Values("Sec-WebSocket-Extensions"), nil
}

// drops waits until a client that was answered wrongly ends TCP, without having sent a frame.
func (p *peer) drops() error {
	p.awaitRead()
	_, err := p.r.ReadByte()
	switch {
	case err == nil:
		return errors.New("it went on after a wrong answer")
	case !dropped(err):
		return fmt.Errorf("wanted the end of TCP: %w", describe(err))
	}
	return nil
}
