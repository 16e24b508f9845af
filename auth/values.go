package auth

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"boundary-app.org/realtime/wire"
)

const (
	maxName = wire.MaxName    // a user id or role is an address too
	maxDate = 253_402_300_799 // seconds: the end of the year 9999
)

// find returns the value of the claim as sent, nil where it is absent or null.
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
		nested, err := appendMembers(nil, outer)
		if err != nil {
			return nil, err
		}
		if value, err := find(nested, path[i+1:]); value != nil || err != nil {
			return value, err
		}
	}
	return nil, nil
}

// optional reads a claim that may be absent; then the result is the zero value. A
// claim that cannot be read is refused for the given reason.
func optional[T any](claims object, path string, reason Reason, read func([]byte) (T, error)) (result T, err error) {
	value, err := find(claims, path)
	if err == nil && value != nil {
		result, err = read(value)
	}
	if err != nil {
		return result, refuse(reason, "%s: %w", path, err)
	}
	return result, nil
}

func date(claims object, claim string, reason Reason) (time.Time, error) {
	return optional(claims, claim, reason, parseDate)
}

// parseDate reads a NumericDate (RFC 7519, section 2): seconds since 1970, with
// a fraction or without.
func parseDate(value []byte) (time.Time, error) {
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || seconds < 0 || seconds > maxDate {
		return time.Time{}, errors.New("want a number, in seconds between 1970 and 9999")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

func plainText(value []byte) (string, error) {
	s, err := text(value)
	return string(s), err
}

func listOf(read func([]byte) (string, error)) func([]byte) ([]string, error) {
	return func(value []byte) ([]string, error) { return readList(value, read) }
}

// readList reads a list of strings, or one string as a list of one, and drops
// repetitions.
func readList(value []byte, read func([]byte) (string, error)) ([]string, error) {
	if value[0] == '"' {
		s, err := read(value)
		return []string{s}, err
	}
	if value[0] != '[' {
		return nil, fmt.Errorf("%w of strings, nor a string", errNotList)
	}
	var out []string
	for element := range elements(value) {
		s, err := read(element)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, nil
}

// name reads a user id, role, permission or token id.
func name(value []byte) (string, error) {
	s, err := text(value)
	if err != nil {
		return "", err
	}
	if len(s) == 0 || len(s) > maxName {
		return "", fmt.Errorf("want 1 to %d bytes", maxName)
	}
	if bytes.ContainsFunc(s, unicode.IsControl) {
		return "", errors.New("control characters are not allowed")
	}
	return string(s), nil
}

func pattern(value []byte) (string, error) {
	s, err := name(value)
	if err != nil {
		return "", err
	}
	if i := strings.IndexByte(s, '*'); i >= 0 && i < len(s)-1 {
		return "", errors.New(`"*" is allowed at the end only`)
	}
	return s, nil
}
