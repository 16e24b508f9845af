package socket

import (
	"bufio"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// The key and its answer from RFC 6455 section 1.3.
const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// upgradeRequest is a valid handshake, then changed by edits.
func upgradeRequest(edits ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://example.com/ws", nil)
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Sec-WebSocket-Key", sampleKey)
	r.Header.Set("Sec-WebSocket-Version", "13")
	for _, edit := range edits {
		edit(r)
	}
	return r
}

func set(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func remove(name string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Del(name) }
}

func TestHandshakeAccepted(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*http.Request){
		"plain":                    func(*http.Request) {},
		"any case":                 set("Upgrade", "WebSocket"),
		"list of connections":      set("Connection", "keep-alive, upgrade"),
		"two connection fields":    set("Connection", "keep-alive", "Upgrade"),
		"one of several protocols": set("Upgrade", "h2c , websocket"),
		"subprotocol unsupported":  set("Sec-WebSocket-Protocol", "chat"),
		"extension unsupported":    set("Sec-WebSocket-Extensions", "x-other; q=\"1\""),
	} {
		h, err := CheckHandshake(upgradeRequest(edit), HandshakeOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		const want = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: " + sampleAccept + "\r\n\r\n"
		if got := string(h.AppendResponse([]byte("x"))); got != "x"+want {
			t.Errorf("%s: answer %q", name, got)
		}
	}
}

func TestHandshakeRefused(t *testing.T) {
	t.Parallel()
	upgrade := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}
	withVersion := upgrade.Clone()
	withVersion.Set("Sec-WebSocket-Version", "13")
	for _, c := range []struct {
		name   string
		edit   func(*http.Request)
		status int
		header http.Header
		text   string
	}{
		{"POST", func(r *http.Request) { r.Method = http.MethodPost }, 405, http.Header{"Allow": {"GET"}}, "GET"},
		{"HEAD", func(r *http.Request) { r.Method = http.MethodHead }, 405, http.Header{"Allow": {"GET"}}, "GET"},
		{"HTTP/2", func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0 }, 505, nil, "HTTP/2"},
		{"HTTP/1.0", func(r *http.Request) { r.Proto, r.ProtoMinor = "HTTP/1.0", 0 }, 505, nil, "came as HTTP/1.0"},
		{"no Upgrade", remove("Upgrade"), 426, upgrade, "Upgrade: websocket"},
		{"other Upgrade", set("Upgrade", "h2c"), 426, upgrade, "Upgrade: websocket"},
		{"Upgrade only alike", set("Upgrade", "websockets"), 426, upgrade, "Upgrade: websocket"},
		{"no Connection", remove("Connection"), 426, upgrade, "Connection: Upgrade"},
		{"other Connection", set("Connection", "keep-alive"), 426, upgrade, "Connection: Upgrade"},
		{"no version", remove("Sec-WebSocket-Version"), 426, withVersion, "13"},
		{"version 8", set("Sec-WebSocket-Version", "8"), 426, withVersion, "13"},
		{"two versions", set("Sec-WebSocket-Version", "13", "13"), 426, withVersion, "13"},
		{"no key", remove("Sec-WebSocket-Key"), 400, nil, "Sec-WebSocket-Key"},
		{"two keys", set("Sec-WebSocket-Key", sampleKey, sampleKey), 400, nil, "one Sec-WebSocket-Key"},
		{"short key", set("Sec-WebSocket-Key", "c2hvcnQ="), 400, nil, "16 random bytes"},
		{"17 bytes", set("Sec-WebSocket-Key", "MTIzNDU2Nzg5MDEyMzQ1Njc="), 400, nil, "16 random bytes"},
		{"key not base64", set("Sec-WebSocket-Key", "!!hlIHNhbXBsZSBub25jZQ=="), 400, nil, "base64"},
		{"body", func(r *http.Request) { r.ContentLength = 5 }, 400, nil, "body"},
		{"chunked body", func(r *http.Request) { r.ContentLength = -1 }, 400, nil, "body"},
		{"subprotocol with a space", set("Sec-WebSocket-Protocol", "a b"), 400, nil, "Sec-WebSocket-Protocol"},
		{"malformed extension", set("Sec-WebSocket-Extensions", "permessage-deflate;"), 400, nil, "Sec-WebSocket-Extensions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := CheckHandshake(upgradeRequest(c.edit), HandshakeOptions{Deflate: true})
			var refusal *Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("error %v", err)
			}
			if !strings.HasPrefix(err.Error(), "socket: handshake: ") || !strings.Contains(err.Error(), c.text) {
				t.Errorf("text %q lacks %q", err, c.text)
			}
			w := httptest.NewRecorder()
			refusal.ServeHTTP(w, nil)
			if w.Code != c.status || w.Body.String() != refusal.Text+"\n" {
				t.Errorf("answered %d %q, want %d", w.Code, w.Body, c.status)
			}
			for _, name := range []string{"Allow", "Upgrade", "Connection", "Sec-Websocket-Version"} {
				if got, want := w.Header()[name], c.header[name]; !slices.Equal(got, want) {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestSubprotocol(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		offered   []string
		supported []string
		all       []string
		chosen    string
	}{
		{"none offered", nil, []string{"a"}, nil, ""},
		{"none supported", []string{"a"}, nil, []string{"a"}, ""},
		{"the client's order", []string{"c, b, a"}, []string{"a", "b"}, []string{"c", "b", "a"}, "b"},
		{"several fields", []string{"x", "b,a"}, []string{"a"}, []string{"x", "b", "a"}, "a"},
		{"case matters", []string{"A"}, []string{"a"}, []string{"A"}, ""},
		{"second entry", []string{"v1,eyJh.eyJz.c2ln-_"}, []string{"v1"}, []string{"v1", "eyJh.eyJz.c2ln-_"}, "v1"},
		{"empty entries", []string{" , a ,, "}, []string{"a", ""}, []string{"a"}, "a"},
	} {
		h, err := CheckHandshake(upgradeRequest(set("Sec-WebSocket-Protocol", c.offered...)), HandshakeOptions{Protocols: c.supported})
		if err != nil || h.Protocol != c.chosen || !slices.Equal(h.Offer.Protocols, c.all) {
			t.Errorf("%s: chose %q of %q, %v", c.name, h.Protocol, h.Offer.Protocols, err)
		}
		answer := string(h.AppendResponse(nil))
		if got := strings.Contains(answer, "Sec-WebSocket-Protocol: "+c.chosen+"\r\n"); got != (c.chosen != "") {
			t.Errorf("%s: answer %q", c.name, answer)
		}
	}
}

// FuzzHandshake: no header may panic, and what is answered was offered and can be parsed again.
func FuzzHandshake(f *testing.F) {
	f.Add("websocket", "Upgrade", "13", sampleKey, "a, b", "permessage-deflate; client_max_window_bits")
	f.Add("h2c", "close", "8", "", "\x00", `permessage-deflate; server_max_window_bits="15"`)
	f.Fuzz(func(t *testing.T, upgrade, connection, version, key, protocols, extensions string) {
		r := upgradeRequest(set("Upgrade", upgrade), set("Connection", connection), set("Sec-WebSocket-Version", version),
			set("Sec-WebSocket-Key", key), set("Sec-WebSocket-Protocol", protocols), set("Sec-WebSocket-Extensions", extensions))
		h, err := CheckHandshake(r, HandshakeOptions{Protocols: []string{"a", "b"}, Deflate: true})
		var refusal *Refusal
		if err != nil {
			if !errors.As(err, &refusal) || refusal.Status < 400 || refusal.Text == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		answer := h.AppendResponse(nil)
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(answer))), r)
		if err != nil {
			t.Fatalf("answer %q: %v", answer, err)
		}
		defer resp.Body.Close()
		if h.Deflate && !strings.Contains(extensions, "permessage-deflate") {
			t.Fatalf("%q answered to %q", answer, extensions)
		}
		if h.Protocol != "" && !slices.Contains(h.Offer.Protocols, h.Protocol) {
			t.Fatalf("%q answered to %q", h.Protocol, protocols)
		}
		for _, protocol := range h.Offer.Protocols {
			if protocol == "" || !strings.Contains(protocols, protocol) {
				t.Fatalf("%q parsed from %q", protocol, protocols)
			}
		}
	})
}
