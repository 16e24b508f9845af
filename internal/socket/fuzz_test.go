package socket

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The grammar of RFC 9110 section 5.6 and RFC 6455 section 9.1, as expressions.
const (
	grammarToken     = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	grammarSpace     = `[ \t]*`
	grammarQuoted    = "\"(?:\\\\?[!#$%&'*+.^_`|~0-9A-Za-z-])+\""
	grammarParam     = grammarToken + "(?:" + grammarSpace + "=" + grammarSpace + "(?:" + grammarToken + "|" + grammarQuoted + "))?"
	grammarExtension = grammarToken + "(?:" + grammarSpace + ";" + grammarSpace + grammarParam + ")*"
)

// grammarList matches a list in which entries may be empty.
func grammarList(entry string) *regexp.Regexp {
	optional := grammarSpace + "(?:" + entry + ")?" + grammarSpace
	return regexp.MustCompile(`\A` + optional + "(?:," + optional + `)*\z`)
}

var (
	tokenList     = grammarList(grammarToken)
	extensionList = grammarList(grammarExtension)
)

// FuzzTokens: what is taken is what the grammar allows, and nothing is lost.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"", "chat", "a, b,\tc", ",, a ,", "a b", "a;b", "bearer.eyJh.eyJz.c2ln", "\"a\"", "a\x00", "ä", "a=b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		tokens, err := parseTokens([]string{header})
		if valid := tokenList.MatchString(header); valid != (err == nil) {
			t.Fatalf("%q: %q, %v; want valid %v", header, tokens, err, valid)
		}
		if want := regexp.MustCompile(grammarToken).FindAllString(header, -1); err == nil && !slices.Equal(tokens, want) {
			t.Fatalf("%q: %q, want %q", header, tokens, want)
		}
		if err == nil && len(tokens) > 0 && !hasToken([]string{header}, strings.ToUpper(tokens[len(tokens)-1])) {
			t.Fatalf("%q: hasToken does not find %q", header, tokens[len(tokens)-1])
		}
	})
}

// FuzzRequest reads a handshake as a server does, from octets, and holds the
// decision against the list of what RFC 6455 section 4.2.1 asks for.
func FuzzRequest(f *testing.F) {
	const good = "GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: " + sampleKey + "\r\nSec-WebSocket-Version: 13\r\n"
	f.Add([]byte(good + "\r\n"))
	f.Add([]byte(good + "Sec-WebSocket-Protocol: a, bearer.x\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"))
	f.Add([]byte(good + "Content-Length: 1\r\n\r\nx"))
	f.Add([]byte(good + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
	f.Add([]byte(good + "Sec-WebSocket-Version: 8\r\n\r\n"))
	f.Add([]byte(strings.Replace(good, "GET", "POST", 1) + "\r\n"))
	f.Add([]byte(strings.Replace(good, "1.1", "1.0", 1) + "\r\n"))
	f.Add([]byte(strings.Replace(good, "Upgrade\r\n", "keep-alive, UPGRADE\r\n", 1) + "\r\n"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(octets)))
		if err != nil {
			return
		}
		h, err := CheckHandshake(r, HandshakeOptions{Protocols: []string{"a", "b"}, Deflate: true})
		if want := goodRequest(r); want != (err == nil) {
			t.Fatalf("%q: %v, want it taken: %v", octets, err, want)
		}
		if err != nil {
			var refusal *Refusal
			if !errors.As(err, &refusal) || !slices.Contains([]int{400, 405, 426, 505}, refusal.Status) || refusal.Text == "" {
				t.Fatalf("%q: %v", octets, err)
			}
			return
		}
		checkAnswer(t, r, h)
	})
}

// goodRequest reports whether a request is an opening handshake.
func goodRequest(r *http.Request) bool {
	key := r.Header["Sec-Websocket-Key"]
	if len(key) != 1 {
		return false
	}
	decoded, err := base64.StdEncoding.DecodeString(key[0])
	listed := func(name, token string) bool {
		return slices.ContainsFunc(strings.Split(strings.Join(r.Header[name], ","), ","), func(entry string) bool {
			return strings.EqualFold(strings.Trim(entry, " \t"), token)
		})
	}
	every := func(name string, grammar *regexp.Regexp) bool {
		return !slices.ContainsFunc(r.Header[name], func(value string) bool { return !grammar.MatchString(value) })
	}
	version := r.Header["Sec-Websocket-Version"]
	return r.Method == "GET" && r.ProtoMajor == 1 && r.ProtoMinor == 1 && err == nil && len(decoded) == 16 &&
		listed("Upgrade", "websocket") && listed("Connection", "upgrade") && len(version) == 1 && version[0] == "13" &&
		r.ContentLength == 0 && len(r.TransferEncoding) == 0 &&
		every("Sec-Websocket-Protocol", tokenList) && every("Sec-Websocket-Extensions", extensionList)
}

// checkAnswer reads the answer as our client does.
func checkAnswer(t *testing.T, r *http.Request, h Handshake) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(h.AppendResponse(nil))), r)
	if err != nil {
		t.Fatalf("the answer cannot be read: %v", err)
	}
	defer response.Body.Close()
	offer := HandshakeOptions{Protocols: h.Offer.Protocols, Deflate: h.Offer.Deflate}
	protocol, deflate, err := CheckResponse(response, r.Header.Get("Sec-WebSocket-Key"), offer)
	if err != nil || protocol != h.Protocol || deflate != h.Deflate {
		t.Fatalf("our client reads %q, %v, %v of %+v", protocol, deflate, err, h)
	}
	if slices.Contains([]string{"", "a", "b"}, protocol) && len(response.Header) <= 5 {
		return
	}
	t.Fatalf("the answer is %v", response.Header)
}

// FuzzResponse reads an answer as a client does, from octets: what is agreed on
// was offered, and proved with the key.
func FuzzResponse(f *testing.F) {
	const good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sampleAccept + "\r\n"
	f.Add([]byte(good + "\r\n"))
	f.Add([]byte(good + "Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n"))
	f.Add([]byte(good + "Sec-WebSocket-Protocol: v1, v2\r\n\r\n"))
	f.Add([]byte(good + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits=9\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(octets)), nil)
		if err != nil {
			return
		}
		defer response.Body.Close()
		for _, offer := range []HandshakeOptions{{}, {Protocols: []string{"v2", "v1"}, Deflate: true}} {
			protocol, deflate, err := CheckResponse(response, sampleKey, offer)
			if err != nil {
				if protocol != "" || deflate {
					t.Fatalf("%q: %q, %v beside %v", octets, protocol, deflate, err)
				}
				continue
			}
			extensions := response.Header["Sec-Websocket-Extensions"]
			switch text := strings.Join(extensions, ","); {
			case response.StatusCode != 101, response.Header.Get("Sec-WebSocket-Accept") != sampleAccept,
				protocol != response.Header.Get("Sec-WebSocket-Protocol"),
				protocol != "" && !slices.Contains(offer.Protocols, protocol),
				deflate && (!offer.Deflate || !strings.Contains(text, "server_no_context_takeover") || strings.Contains(text, "client_max_window_bits")),
				!deflate && regexp.MustCompile(grammarToken).MatchString(text):
				t.Fatalf("%q: agreed on %q, %v", octets, protocol, deflate)
			}
		}
	})
}
