package apiclient

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// Problem is a call that the server refused (RFC 9457).
type Problem struct {
	Status string // such as "404 Not Found"
	Code   string // empty if the answer is not a problem of the API
	Detail string
	Retry  string // seconds to wait; empty if the server gave none
}

func (p *Problem) Error() string {
	text := "the server answered " + p.Status
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	if p.Code != "" {
		text += fmt.Sprintf(" [%s]", p.Code)
	}
	if p.aboutKey() {
		text += "; set REALTIME_API_KEY or REALTIME_API_KEY_FILE to a key of this server"
	}
	if p.Retry != "" {
		text += fmt.Sprintf("; try again in %s s", p.Retry)
	}
	return text
}

// aboutKey reports whether the API key is missing or wrong. The detail then describes a
// header, but a user of the command sets the key in the environment.
func (p *Problem) aboutKey() bool { return p.Code == "missing_key" || p.Code == "invalid_key" }

func readProblem(response *http.Response, answer []byte) error {
	p := &Problem{Status: response.Status, Retry: response.Header.Get("Retry-After")}
	var body struct{ Title, Code, Detail string }
	switch text := strings.TrimSpace(string(answer)); {
	case response.StatusCode/100 == 3:
		p.Detail = "it redirects to another URL; use that URL"
	case json.Unmarshal(answer, &body) == nil:
		p.Code, p.Detail = body.Code, cmp.Or(body.Detail, body.Title)
		if p.aboutKey() {
			p.Detail, _, _ = strings.Cut(p.Detail, "; ")
		}
	case response.Header.Get("Content-Type") == "text/plain; charset=utf-8" && isLine(text):
		p.Detail = text
	}
	return p
}

// isLine reports whether a text is short, on one line and printable.
func isLine(text string) bool {
	return len(text) <= 300 && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
