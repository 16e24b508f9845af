package strictjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

const replacement = utf8.RuneError // U+FFFD

// Unquote returns the characters of a JSON string. It refuses an unpaired UTF-16
// surrogate escape with ErrSurrogate: encoding/json reads each as U+FFFD, so that
// different names would become the same (RFC 8259, section 8.2). The error for any
// other value is ErrNotString. Raw must be valid UTF-8, as a value is that a Reader
// returned before an End without error.
func Unquote(raw []byte) (string, error) {
	last := len(raw) - 1
	if last < 1 || raw[0] != '"' {
		return "", ErrNotString
	}
	if plain(raw, 1) == last && raw[last] == '"' {
		return string(raw[1:last]), nil
	}
	r := Reader{data: raw}
	if end := r.str(0); end != len(raw) {
		return "", ErrNotString
	}
	if r.unpaired {
		return "", ErrSurrogate
	}
	text := appendUnescaped(make([]byte, 0, last), raw[1:last])
	return string(text), nil
}

// appendUnescaped appends the characters of a valid JSON string, given without
// its quotes; an unpaired surrogate escape becomes U+FFFD.
func appendUnescaped(to, content []byte) []byte {
	for {
		i := bytes.IndexByte(content, '\\')
		if i < 0 {
			return append(to, content...)
		}
		to = append(to, content[:i]...)
		unit, next := escaped(content, i)
		if utf16.IsSurrogate(unit) {
			second, end := escaped(content, next)
			if unit = utf16.DecodeRune(unit, second); unit != replacement {
				next = end
			}
		}
		to = utf8.AppendRune(to, unit)
		content = content[next:]
	}
}

// escaped returns the code unit of the escape at i, and the index after it; -1
// where there is none.
func escaped(data []byte, i int) (unit rune, next int) {
	if i+1 >= len(data) || data[i] != '\\' {
		return 0, -1
	}
	switch c := data[i+1]; c {
	case '"', '\\', '/':
		return rune(c), i + 2
	case 'b':
		return '\b', i + 2
	case 'f':
		return '\f', i + 2
	case 'n':
		return '\n', i + 2
	case 'r':
		return '\r', i + 2
	case 't':
		return '\t', i + 2
	case 'u':
		return hexUnit(data, i+2)
	}
	return 0, -1
}

func hexUnit(data []byte, i int) (unit rune, next int) {
	if i+4 > len(data) {
		return 0, -1
	}
	for _, c := range data[i : i+4] {
		digit := hexDigit(c)
		if digit < 0 {
			return 0, -1
		}
		unit = unit<<4 | digit
	}
	return unit, i + 4
}

func hexDigit(c byte) rune {
	switch {
	case c-'0' <= 9:
		return rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}
