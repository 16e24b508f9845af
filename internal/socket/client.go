package socket

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// SetRequest sets the header fields of a client's opening handshake (RFC 6455 section 4.1): those
// of the upgrade, a new random key, and the offer o. It returns the key for [CheckResponse].
func SetRequest(h http.Header, o HandshakeOptions) (key string) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails, see its documentation
	key = base64.StdEncoding.EncodeToString(nonce[:])
	h.Set("Upgrade", "websocket")
	h.Set("Connection", "Upgrade")
	h.Set(headerVersion, version)
	h.Set(headerKey, key)
	if len(o.Protocols) > 0 {
		h.Set(headerProtocol, strings.Join(o.Protocols, ", "))
	}
	if o.Deflate {
		h.Set(headerExtensions, deflateAnswer)
	}
	return key
}

// CheckResponse checks a server's answer to a request with that key and offer (RFC 6455 section 4.1,
// RFC 7692 section 7.1), and returns what was agreed. After an error the connection must be closed.
// It does not touch the body.
func CheckResponse(resp *http.Response, key string, o HandshakeOptions) (protocol string, deflate bool, err error) {
	if err := checkSwitch(resp, key); err != nil {
		return "", false, fmt.Errorf("socket: handshake answer: %w", err)
	}
	if protocol, err = agreedProtocol(resp.Header[headerProtocol], o.Protocols); err != nil {
		return "", false, fmt.Errorf("socket: handshake answer: %w", err)
	}
	if deflate, err = agreedDeflate(resp.Header[headerExtensions], o.Deflate); err != nil {
		return "", false, fmt.Errorf("socket: handshake answer: %w", err)
	}
	return protocol, deflate, nil
}

func checkSwitch(resp *http.Response, key string) error {
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return fmt.Errorf("status %d instead of 101", resp.StatusCode)
	case !hasToken(resp.Header["Upgrade"], "websocket"):
		return errors.New("it lacks Upgrade: websocket")
	case !hasToken(resp.Header["Connection"], "upgrade"):
		return errors.New("it lacks Connection: Upgrade")
	case !slices.Equal(resp.Header[headerAccept], []string{acceptKey(key)}):
		return errors.New("Sec-WebSocket-Accept does not match the key: a cache answered, or not a WebSocket server")
	}
	return nil
}

func agreedProtocol(answer, offered []string) (string, error) {
	if len(answer) == 0 {
		return "", nil
	}
	if len(answer) > 1 || !slices.Contains(offered, answer[0]) {
		// Not named: where a token travels as a subprotocol, it could be in there.
		return "", errors.New("a subprotocol that was not offered")
	}
	return answer[0], nil
}

func agreedDeflate(answer []string, offered bool) (bool, error) {
	list, err := parseExtensions(answer)
	switch {
	case err != nil:
		return false, fmt.Errorf("Sec-WebSocket-Extensions: %w", err)
	case len(list) == 0:
		return false, nil
	case !offered || len(list) > 1 || !acceptDeflate(list[0]):
		return false, fmt.Errorf("extensions %q were not offered in this form", answer)
	}
	return true, nil
}
