package auth

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"boundary-app.org/realtime/internal/strictjson"
	"boundary-app.org/realtime/wire"
)

const (
	maxName = wire.MaxName    // a user id or role is also an address
	maxDate = 253_402_300_799 // seconds: the end of the year 9999
)

// find returns the value of a claim as it was sent, nil if it is absent or null.
func find(claims object, path string) ([]byte, error) {
	if value := claims.get(path); value != nil {
		return value, nil
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		outer := claims.get(path[:i])
		if outer == nil || outer[0] != '{' {
			continue
		}
		nested, err := appendObject(nil, outer)
		var value []byte
		if err == nil {
			value, err = find(nested, path[i+1:])
		}
		if err != nil {
			return nil, fmt.Errorf("in %s: %w", path[:i], err)
		}
		if value != nil {
			return value, nil
		}
	}
	return nil, nil
}

// optional reads a claim. If it is absent, the result is the zero value.
func optional[T any](claims object, path string, read func([]byte) (T, error)) (result T, err error) {
	value, err := find(claims, path)
	if err == nil && value != nil {
		result, err = read(value)
	}
	return result, err
}

// date reads an optional claim and refuses a value that is not a date.
func date(claims object, claim string, reason Reason) (time.Time, error) {
	at, err := optional(claims, claim, parseDate)
	if err != nil {
		return at, refuse(reason, "%s: %w", claim, err)
	}
	return at, nil
}

// parseDate reads a NumericDate (RFC 7519, section 2): seconds since 1970, with or
// without a fraction.
func parseDate(value []byte) (time.Time, error) {
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || seconds < 0 || seconds > maxDate {
		return time.Time{}, errors.New("want a number, in seconds between 1970 and 9999")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

// readList reads a list of strings, or one string as a list of one.
func readList(value []byte) ([]string, error) {
	if value[0] == '"' {
		s, err := strictjson.Unquote(value)
		return []string{s}, err
	}
	if value[0] != '[' {
		return nil, errNotList
	}
	var out []string
	for element := range strictjson.Elements(value) {
		s, err := strictjson.Unquote(element)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// userID reads a name or an integer. It keeps the digits of an integer: as a float, two
// ids beyond 2^53 could become the same.
func userID(value []byte) (string, error) {
	if value[0] == '"' {
		return name(value)
	}
	digits := bytes.TrimPrefix(value, []byte("-"))
	if bytes.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) || string(value) == "-0" {
		return "", errors.New("neither a string nor an integer")
	}
	return string(value), checkName(string(value))
}

// name reads a user id or a token id.
func name(value []byte) (string, error) {
	s, err := strictjson.Unquote(value)
	if err != nil {
		return "", err
	}
	return s, checkName(s)
}

// checkName returns nil if a text is valid as the name of a user, role, permission or
// token.
func checkName(s string) error {
	if len(s) == 0 || len(s) > maxName {
		return fmt.Errorf("want 1 to %d bytes", maxName)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("control characters are not allowed")
	}
	return nil
}

func checkPattern(s string) error {
	if i := strings.IndexByte(s, '*'); i >= 0 && i < len(s)-1 {
		return errors.New(`"*" is allowed at the end only`)
	}
	return checkName(s)
}
