package socket

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
)

const (
	headerAccept     = "Sec-Websocket-Accept"
	headerExtensions = "Sec-Websocket-Extensions"
	headerKey        = "Sec-Websocket-Key"
	headerProtocol   = "Sec-Websocket-Protocol"
	headerVersion    = "Sec-Websocket-Version"

	version = "13"
	// keyGUID is appended to the key, RFC 6455 section 1.3.
	keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

// Refusal is the ordinary HTTP answer to a request that cannot become a WebSocket.
// It is an error and an [http.Handler] that gives the answer.
type Refusal struct {
	Status int
	Header http.Header
	Text   string
}

// Error returns the text.
func (r *Refusal) Error() string { return "socket: handshake: " + r.Text }

// ServeHTTP answers with the status, the header fields, and the text as text/plain.
func (r *Refusal) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	http.Error(w, r.Text, r.Status)
}

// HandshakeOptions is what we support. The zero value: no subprotocol, no compression.
type HandshakeOptions struct {
	Protocols []string
	Deflate   bool
}

// Offer is what the client offered. Never log it: a subprotocol may carry a token.
type Offer struct {
	Protocols []string // all entries of Sec-WebSocket-Protocol, in order of preference
	Deflate   bool     // permessage-deflate was among the extensions, acceptable or not
}

// Handshake is a valid opening handshake, RFC 6455 section 4.2.
type Handshake struct {
	Offer Offer
	// Protocol is the first offered subprotocol that we support, or empty: then none is answered.
	Protocol string
	// Deflate says that permessage-deflate is agreed, without context takeover in both directions.
	Deflate bool

	accept     string
	extensions string
}

// CheckHandshake checks the request of a client (RFC 6455 section 4.2.1), and chooses subprotocol and
// extension (section 4.2.2). It answers nothing and takes nothing over. An error is always a [*Refusal]:
// 405 not GET; 505 not HTTP/1.1; 426 no upgrade to websocket, or another version than 13; 400 a bad key,
// a body, or a malformed list.
func CheckHandshake(r *http.Request, o HandshakeOptions) (Handshake, error) {
	if refusal := checkRequest(r); refusal != nil {
		return Handshake{}, refusal
	}
	protocols, err := parseTokens(r.Header[headerProtocol])
	if err != nil {
		return Handshake{}, badRequest("Sec-WebSocket-Protocol: " + err.Error())
	}
	offers, err := parseExtensions(r.Header[headerExtensions])
	if err != nil {
		return Handshake{}, badRequest("Sec-WebSocket-Extensions: " + err.Error())
	}
	h := Handshake{
		Offer:  Offer{Protocols: protocols, Deflate: slices.ContainsFunc(offers, extension.deflate)},
		accept: acceptKey(r.Header.Get(headerKey)),
	}
	if i := slices.IndexFunc(protocols, func(p string) bool { return slices.Contains(o.Protocols, p) }); i >= 0 {
		h.Protocol = protocols[i]
	}
	if o.Deflate {
		h.extensions, h.Deflate = answerDeflate(offers)
	}
	return h, nil
}

func checkRequest(r *http.Request) *Refusal {
	switch {
	case r.Method != http.MethodGet:
		return &Refusal{
			Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": {http.MethodGet}},
			Text: "a WebSocket is opened with GET",
		}
	case r.ProtoMajor == 1 && r.ProtoMinor == 0:
		return &Refusal{
			Status: http.StatusHTTPVersionNotSupported,
			Text:   "the request came as HTTP/1.0: a proxy in between must speak HTTP/1.1 to this server (nginx: proxy_http_version 1.1)",
		}
	case r.ProtoMajor != 1:
		return &Refusal{
			Status: http.StatusHTTPVersionNotSupported,
			Text:   "a WebSocket needs HTTP/1.1: connect without HTTP/2 (ALPN http/1.1), or use ws:// or wss:// in the client",
		}
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return upgradeRequired("this address speaks WebSocket: send Upgrade: websocket (a proxy in between must pass it on)")
	case !hasToken(r.Header["Connection"], "upgrade"):
		return upgradeRequired("the request lacks Connection: Upgrade (a proxy in between must pass it on)")
	case !slices.Equal(r.Header[headerVersion], []string{version}):
		refusal := upgradeRequired("this server speaks version 13 of the WebSocket protocol: send Sec-WebSocket-Version: 13")
		refusal.Header[headerVersion] = []string{version}
		return refusal
	case !validKey(r.Header[headerKey]):
		return badRequest("send one Sec-WebSocket-Key: 16 random bytes in base64")
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		// Its octets would be read as frames.
		return badRequest("a WebSocket handshake has no body")
	}
	return nil
}

func badRequest(text string) *Refusal { return &Refusal{Status: http.StatusBadRequest, Text: text} }

// upgradeRequired names the protocol to upgrade to, as RFC 9110 section 15.5.22 asks.
func upgradeRequired(text string) *Refusal {
	return &Refusal{
		Status: http.StatusUpgradeRequired,
		Header: http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
		Text:   text,
	}
}

func validKey(values []string) bool {
	if len(values) != 1 || len(values[0]) != base64.StdEncoding.EncodedLen(16) {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(values[0])
	return err == nil && len(key) == 16
}

// acceptKey proves that the server read the handshake, RFC 6455 section 4.2.2. It protects nothing.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + keyGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// AppendResponse appends the 101 answer. Frames may follow it at once.
func (h Handshake) AppendResponse(dst []byte) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"...)
	dst = fmt.Appendf(dst, "Sec-WebSocket-Accept: %s\r\n", h.accept)
	if h.Protocol != "" {
		dst = fmt.Appendf(dst, "Sec-WebSocket-Protocol: %s\r\n", h.Protocol)
	}
	if h.Deflate {
		dst = fmt.Appendf(dst, "Sec-WebSocket-Extensions: %s\r\n", h.extensions)
	}
	return append(dst, "\r\n"...)
}
