package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf16"
)

var (
	// ErrNotText says that a JSON value is not a string.
	ErrNotText = errors.New("must be a string")
	// ErrSurrogate says that a JSON string has an escape that is no character.
	ErrSurrogate = errors.New(`has an escape from \ud800 to \udfff without its other half: a character was broken on its way`)
)

// Text returns what a JSON string says. An escape that is half of a pair of
// surrogates is refused with ErrSurrogate: encoding/json reads each as U+FFFD, so
// that different names would become the same (RFC 8259, section 8.2). Raw is valid
// UTF-8, as CheckStrict says of what it was cut from.
func Text(raw []byte) (text string, err error) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return "", ErrNotText
	}
	if hasHalf(raw) {
		return "", ErrSurrogate
	}
	return text, nil
}

// hasHalf looks for a surrogate alone among the escapes of a valid JSON string.
func hasHalf(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		first, size := escaped(raw[i:])
		raw = raw[i+size:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		second, size := escaped(raw)
		if utf16.DecodeRune(first, second) == '\uFFFD' {
			return true
		}
		raw = raw[size:]
	}
}

// escaped returns the code unit of an escape and how many octets it takes; 0 for
// one without a number, and for what is none.
func escaped(raw []byte) (unit rune, size int) {
	if raw[0] != '\\' {
		return 0, 0
	}
	if raw[1] != 'u' {
		return 0, len(`\n`)
	}
	n, _ := strconv.ParseUint(string(raw[2:6]), 16, 16) // four digits, by the grammar
	return rune(n), len(`\u0000`)
}
