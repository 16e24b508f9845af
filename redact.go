package realtime

import (
	"fmt"
	"net/url"
	"strings"
)

// hide returns a text without the token that it may quote, as it is or as a part
// of a URL.
func hide(text, token string) string {
	if token == "" {
		return text
	}
	const hidden = "[redacted]"
	text = strings.ReplaceAll(text, token, hidden)
	text = strings.ReplaceAll(text, url.QueryEscape(token), hidden)
	return strings.ReplaceAll(text, url.PathEscape(token), hidden)
}

// verifierError is an error of a Verifier's, which may quote the token: that of a
// failed request does when the token is in its URL.
type verifierError struct {
	error
	token string
}

func (e verifierError) Error() string { return hide(e.error.Error(), e.token) }
func (e verifierError) Unwrap() error { return e.error }

// hidePanic lets a panic go on without the token in its text.
func hidePanic(token string) {
	if reason := recover(); reason != nil {
		panic(hide(fmt.Sprint(reason), token))
	}
}
