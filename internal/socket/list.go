package socket

import (
	"errors"
	"strings"
)

// hasToken reports whether the comma-separated lists in values hold the token, in any case.
func hasToken(values []string, token string) bool {
	for _, value := range values {
		for entry := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.Trim(entry, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// param is one parameter of an extension. Without "=", hasValue is false.
type param struct {
	name, value string
	hasValue    bool
}

// extension is one entry of Sec-WebSocket-Extensions, RFC 6455 section 9.1.
type extension struct {
	name   string
	params []param
}

var (
	errToken = errors.New("a name or value is not a token (RFC 9110 section 5.6.2)")
	errQuote = errors.New("a quoted value is not a token within quotes")
	errComma = errors.New("entries are not separated by commas")
)

// parseTokens parses lists of tokens, such as Sec-WebSocket-Protocol. Empty entries are skipped, as
// RFC 9110 section 5.6.1.2 asks.
func parseTokens(values []string) (tokens []string, err error) {
	err = parseList(values, func(s *scanner) error {
		token := s.token()
		tokens = append(tokens, token)
		return tokenError(token)
	})
	return tokens, err
}

// parseExtensions parses Sec-WebSocket-Extensions.
func parseExtensions(values []string) (list []extension, err error) {
	err = parseList(values, func(s *scanner) error {
		e, err := s.extension()
		list = append(list, e)
		return err
	})
	return list, err
}

// parseList calls entry at the start of each entry that is not empty.
func parseList(values []string, entry func(*scanner) error) error {
	for _, value := range values {
		s := scanner{rest: value}
		for s.space(); s.rest != ""; s.space() {
			if s.eat(',') {
				continue
			}
			if err := entry(&s); err != nil {
				return err
			}
			if s.space(); s.rest != "" && !s.eat(',') {
				return errComma
			}
		}
	}
	return nil
}

func tokenError(token string) error {
	if token == "" {
		return errToken
	}
	return nil
}

// scanner reads a header field value from left to right.
type scanner struct {
	rest string
}

func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

func (s *scanner) eat(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// token returns the token that comes next, or "" if none does.
func (s *scanner) token() string {
	n := 0
	for n < len(s.rest) && tokenChar(s.rest[n]) {
		n++
	}
	token := s.rest[:n]
	s.rest = s.rest[n:]
	return token
}

func tokenChar(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	default:
		return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
	}
}

func (s *scanner) extension() (e extension, err error) {
	if e.name = s.token(); e.name == "" {
		return e, errToken
	}
	for s.space(); s.eat(';'); s.space() {
		s.space()
		p, err := s.param()
		if err != nil {
			return e, err
		}
		e.params = append(e.params, p)
	}
	return e, nil
}

func (s *scanner) param() (p param, err error) {
	if p.name = s.token(); p.name == "" {
		return p, errToken
	}
	if s.space(); !s.eat('=') {
		return p, nil
	}
	p.hasValue = true
	if s.space(); s.eat('"') {
		p.value, err = s.quoted()
		return p, err
	}
	p.value = s.token()
	return p, tokenError(p.value)
}

// quoted reads up to the closing quote. What it unescapes to must be a token, RFC 6455 section 9.1.
func (s *scanner) quoted() (string, error) {
	var value strings.Builder
	for !s.eat('"') {
		s.eat('\\')
		if s.rest == "" || !tokenChar(s.rest[0]) {
			return "", errQuote
		}
		value.WriteByte(s.rest[0])
		s.rest = s.rest[1:]
	}
	if value.Len() == 0 {
		return "", errQuote
	}
	return value.String(), nil
}
