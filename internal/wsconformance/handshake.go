package wsconformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// refusal is a request that a server must not accept, and the ways to say so.
type refusal struct {
	name   string
	edit   func(*request)
	body   string
	status []int // the first is the best
	header field // that must be in the answer, if it has the first status
}

// requests are the cases of a server's opening handshake, RFC 6455 section 4.2.
func requests(o *Options) (cases []testCase) {
	for _, r := range slices.Concat(badRequests(), badUpgrades()) {
		cases = append(cases, testCase{r.name, r.run})
	}
	for _, a := range goodRequests() {
		cases = append(cases, testCase{a.name, func(p *peer) error {
			r := newRequest(p.host, o.offers())
			a.edit(&r)
			p.write(r.encode(p.path))
			if err := p.switched(r); err != nil {
				return err
			}
			return echoOne(p)
		}})
	}
	return append(cases, offerCases()...)
}

func echoOne(p *peer) error {
	p.send(whole, text("hello"))
	return echoing(gotText("hello"))(p)
}

func (r refusal) run(p *peer) error {
	req := newRequest(p.host, nil)
	r.edit(&req)
	p.write(append(req.encode(p.path), r.body...))
	resp, err := p.response()
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch at := slices.Index(r.status, resp.StatusCode); {
	case resp.StatusCode < 400:
		return fmt.Errorf("status %d, which is no refusal", resp.StatusCode)
	case resp.StatusCode >= 500 && at < 0:
		return fmt.Errorf("status %d for a mistake of the client", resp.StatusCode)
	case at != 0:
		p.note("status %d instead of %d", resp.StatusCode, r.status[0])
	case r.header.name != "" && !slices.Contains(splitList(resp.Header.Values(r.header.name)), r.header.value):
		p.note("status %d without %s: %s", resp.StatusCode, r.header.name, r.header.value)
	}
	return nil
}

func setting(name string, values ...string) func(*request) {
	return func(r *request) { r.set(name, values...) }
}

func badRequests() []refusal {
	const key = "Sec-WebSocket-Key"
	bad := []int{http.StatusBadRequest}
	return []refusal{
		{name: "POST", edit: func(r *request) { r.method = "POST"; r.set("Content-Length", "0") }, status: []int{405}, header: field{"Allow", "GET"}},
		{name: "HTTP/1.0", edit: func(r *request) { r.proto = "HTTP/1.0" }, status: []int{505, 426, 400}},
		{name: "no key", edit: setting(key), status: bad},
		{name: "an empty key", edit: setting(key, ""), status: bad},
		{name: "two keys", edit: setting(key, "dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEA=="), status: bad},
		{name: "a key of 15 octets", edit: setting(key, "AQIDBAUGBwgJCgsMDQ4P"), status: bad},
		{name: "a key of 17 octets", edit: setting(key, "AQIDBAUGBwgJCgsMDQ4PEBE="), status: bad},
		{name: "a key that is not base64", edit: setting(key, "!!not base64 at all!!!!!"), status: bad},
		{name: "a body", edit: setting("Content-Length", "5"), body: "hello", status: bad},
		{name: "no Host", edit: setting("Host"), status: bad},
	}
}

func badUpgrades() []refusal {
	const version = "Sec-WebSocket-Version"
	upgrade, thirteen := field{"Upgrade", "websocket"}, field{version, "13"}
	required := []int{http.StatusUpgradeRequired, http.StatusBadRequest}
	return []refusal{
		{name: "no Upgrade", edit: setting("Upgrade"), status: required, header: upgrade},
		{name: "another Upgrade", edit: setting("Upgrade", "h2c"), status: required, header: upgrade},
		{name: "no Connection", edit: setting("Connection"), status: required, header: upgrade},
		{name: "another Connection", edit: setting("Connection", "keep-alive"), status: required, header: upgrade},
		{name: "no version", edit: setting(version), status: required, header: thirteen},
		{name: "version 8", edit: setting(version, "8"), status: required, header: thirteen},
		{name: "version 14", edit: setting(version, "14"), status: required, header: thirteen},
		{name: "version 013", edit: setting(version, "013"), status: required, header: thirteen},
	}
}

// acceptable is a request that a server must accept. What it answers is checked against it.
type acceptable struct {
	name string
	edit func(*request)
}

func goodRequests() []acceptable {
	return []acceptable{
		{"the plain handshake", func(*request) {}},
		{"Upgrade in other letters", setting("Upgrade", "WebSocket")},
		{"Upgrade among others", setting("Upgrade", "h2c, websocket")},
		{"Connection among others", setting("Connection", "keep-alive, UPGRADE")},
		{"Connection in two fields", setting("Connection", "keep-alive", "Upgrade")},
		{"unknown subprotocols", setting("Sec-WebSocket-Protocol", "not-known, neither.this")},
		{"an unknown extension", setting("Sec-WebSocket-Extensions", "x-not-known; a; b=1")},
		{"an extension with a quoted value", setting("Sec-WebSocket-Extensions", `x-not-known; a="b"`)},
		{"empty entries in the lists", setting("Sec-WebSocket-Extensions", ", x-not-known,,")},
	}
}

// offerCases are offers of permessage-deflate, RFC 7692 section 7.1. A server must decline what it
// does not understand; what it accepts is checked against what was offered.
func offerCases() (cases []testCase) {
	for _, params := range []string{
		"unknown", "server_no_context_takeover=1", "client_no_context_takeover=yes",
		"server_no_context_takeover; server_no_context_takeover", "client_max_window_bits; client_max_window_bits=10",
		"server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=010",
		"server_max_window_bits=a", "client_max_window_bits=7", "client_max_window_bits=16",
	} {
		cases = append(cases,
			testCase{"declines " + params, func(p *peer) error { return declines(p, params) }},
			compressed("declines "+params+", accepts the next offer", []string{deflateName + "; " + params, freshOffer}, echoOne))
	}
	for _, malformed := range []string{"client_max_window_bits=", "=9", "; ;", `server_max_window_bits="`} {
		cases = append(cases, testCase{"declines " + malformed, func(p *peer) error { return declines(p, malformed) }})
	}
	for bits := 8; bits <= maxWindow; bits++ {
		offer := fmt.Sprintf("%s; server_max_window_bits=%d; client_max_window_bits=%d", deflateName, bits, bits)
		cases = append(cases, compressed(fmt.Sprintf("windows of %d bits", bits), []string{offer}, packedThen(opText, pattern(100), 0, echoing(gotText(pattern(100))))))
	}
	return cases
}

// declines sends an offer that is no offer. A malformed one may also be answered with 400.
func declines(p *peer, params string) error {
	r := newRequest(p.host, []string{deflateName + "; " + params})
	p.write(r.encode(p.path))
	resp, err := p.response()
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusBadRequest {
		return nil
	}
	if err := checkSwitched(resp, r.get("Sec-WebSocket-Key")); err != nil {
		return err
	}
	if answer := resp.Header.Values("Sec-WebSocket-Extensions"); len(answer) > 0 {
		return fmt.Errorf("it accepted with %q", strings.Join(answer, ", "))
	}
	return echoOne(p)
}

// answers are the cases of a client's opening handshake, RFC 6455 section 4.1: wrong answers after
// which it must end the connection.
func answers() (cases []testCase) {
	const extensions = "Sec-WebSocket-Extensions"
	for _, a := range []struct {
		name  string
		first string
		edit  func(key string) []field
	}{
		{"status 200", "HTTP/1.1 200 OK", nil},
		{"status 404", "HTTP/1.1 404 Not Found", nil},
		{"no Upgrade", "", func(key string) []field { return switchFields(key)[1:] }},
		{"another Upgrade", "", func(key string) []field { return append(switchFields(key)[1:], field{"Upgrade", "h2c"}) }},
		{"no Connection", "", func(key string) []field { return slices.Delete(switchFields(key), 1, 2) }},
		{"no Sec-WebSocket-Accept", "", func(key string) []field { return switchFields(key)[:2] }},
		{"a wrong Sec-WebSocket-Accept", "", func(key string) []field { return switchFields(key + "=") }},
		{"a subprotocol that was not offered", "", adding("Sec-WebSocket-Protocol", "not-offered")},
		{"an extension that was not offered", "", adding(extensions, "x-not-offered")},
		{"an unknown parameter", "", adding(extensions, freshOffer+"; unknown")},
		{"a parameter twice", "", adding(extensions, freshOffer+"; "+serverFresh)},
		{"a window of 7 bits", "", adding(extensions, freshOffer+"; server_max_window_bits=7")},
		{"permessage-deflate twice", "", adding(extensions, freshOffer+", "+freshOffer)},
	} {
		cases = append(cases, testCase{a.name, func(p *peer) error { return answersWith(p, a.first, a.edit) }})
	}
	return append(cases, testCase{"a frame in the packet of the answer", earlyFrame})
}

func adding(name, value string) func(string) []field {
	return func(key string) []field { return append(switchFields(key), field{name, value}) }
}

func answersWith(p *peer, first string, edit func(key string) []field) error {
	key, _, err := p.request()
	if err != nil {
		return err
	}
	if first == "" {
		first = "HTTP/1.1 101 Switching Protocols"
	}
	if edit == nil {
		edit = func(key string) []field { return append(switchFields(key), field{"Content-Length", "0"}) }
	}
	p.write(text("hello").append(encodeHead(first, edit(key)), false))
	return p.drops()
}

// earlyFrame sends a message with the answer: it must be read, not lost.
func earlyFrame(p *peer) error {
	key, _, err := p.request()
	if err != nil {
		return err
	}
	p.write(text("early").append(encodeHead("HTTP/1.1 101 Switching Protocols", switchFields(key)), false))
	if err := p.expect(gotText("early")); err != nil {
		return fmt.Errorf("the frame behind the answer: %w", err)
	}
	return p.closes()
}
