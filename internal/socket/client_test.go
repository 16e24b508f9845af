package socket

import (
	"net/http"
	"strings"
	"testing"
)

func TestSetRequest(t *testing.T) {
	t.Parallel()
	offer := HandshakeOptions{Protocols: []string{"v2", "v1"}, Deflate: true}
	first, second := upgradeRequest(), upgradeRequest()
	key := SetRequest(first.Header, offer)
	if other := SetRequest(second.Header, HandshakeOptions{}); key == other {
		t.Error("the same key twice")
	}
	h, err := CheckHandshake(first, HandshakeOptions{Protocols: []string{"v1"}, Deflate: true})
	if err != nil || h.Protocol != "v1" || !h.Deflate || h.accept != acceptKey(key) {
		t.Errorf("our server answers %+v, %v", h, err)
	}
	h, err = CheckHandshake(second, HandshakeOptions{Protocols: []string{"v1"}, Deflate: true})
	if err != nil || h.Protocol != "" || h.Deflate {
		t.Errorf("nothing offered: our server answers %+v, %v", h, err)
	}
}

func TestCheckResponse(t *testing.T) {
	t.Parallel()
	const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	offer := HandshakeOptions{Protocols: []string{"v2", "v1"}, Deflate: true}
	for _, c := range []struct {
		name     string
		status   int
		edit     func(*http.Request) // of the header fields alone
		offer    HandshakeOptions
		protocol string
		deflate  bool
		fails    string
	}{
		{name: "plain", offer: offer},
		{name: "subprotocol", offer: offer, edit: set("Sec-WebSocket-Protocol", "v1"), protocol: "v1"},
		{name: "deflate", offer: offer, edit: set("Sec-WebSocket-Extensions", agreed), deflate: true},
		{name: "deflate, client may keep its context", offer: offer, edit: set("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover"), deflate: true},
		{name: "deflate, server window", offer: offer, edit: set("Sec-WebSocket-Extensions", agreed+"; server_max_window_bits=9"), deflate: true},
		{name: "other status", status: 200, offer: offer, fails: "status 200"},
		{name: "no Upgrade", offer: offer, edit: remove("Upgrade"), fails: "Upgrade: websocket"},
		{name: "no Connection", offer: offer, edit: remove("Connection"), fails: "Connection: Upgrade"},
		{name: "no accept", offer: offer, edit: remove("Sec-WebSocket-Accept"), fails: "Sec-WebSocket-Accept"},
		{name: "wrong accept", offer: offer, edit: set("Sec-WebSocket-Accept", acceptKey("other")), fails: "Sec-WebSocket-Accept"},
		{name: "two accepts", offer: offer, edit: set("Sec-WebSocket-Accept", sampleAccept, sampleAccept), fails: "Sec-WebSocket-Accept"},
		{name: "subprotocol not offered", offer: offer, edit: set("Sec-WebSocket-Protocol", "v3"), fails: "not offered"},
		{name: "two subprotocols", offer: offer, edit: set("Sec-WebSocket-Protocol", "v1", "v2"), fails: "not offered"},
		{name: "subprotocol without offers", edit: set("Sec-WebSocket-Protocol", "v1"), fails: "not offered"},
		{name: "deflate not offered", edit: set("Sec-WebSocket-Extensions", agreed), fails: "not offered"},
		{name: "other extension", offer: offer, edit: set("Sec-WebSocket-Extensions", "x-other"), fails: "not offered"},
		{name: "deflate twice", offer: offer, edit: set("Sec-WebSocket-Extensions", agreed, agreed), fails: "not offered"},
		{name: "context takeover", offer: offer, edit: set("Sec-WebSocket-Extensions", "permessage-deflate"), fails: "not offered"},
		{name: "limits our window", offer: offer, edit: set("Sec-WebSocket-Extensions", agreed+"; client_max_window_bits=9"), fails: "not offered"},
		{name: "unknown parameter", offer: offer, edit: set("Sec-WebSocket-Extensions", agreed+"; x"), fails: "not offered"},
		{name: "malformed", offer: offer, edit: set("Sec-WebSocket-Extensions", "a;;b"), fails: "token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			answer := upgradeRequest(set("Sec-WebSocket-Accept", sampleAccept))
			if c.edit != nil {
				c.edit(answer)
			}
			resp := &http.Response{StatusCode: http.StatusSwitchingProtocols, Header: answer.Header}
			if c.status != 0 {
				resp.StatusCode = c.status
			}
			protocol, deflate, err := CheckResponse(resp, sampleKey, c.offer)
			if c.fails != "" {
				if err == nil || !strings.HasPrefix(err.Error(), "socket: handshake answer: ") || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error %v, want %q in it", err, c.fails)
				}
				return
			}
			if err != nil || protocol != c.protocol || deflate != c.deflate {
				t.Errorf("%q, %v, %v", protocol, deflate, err)
			}
		})
	}
}
