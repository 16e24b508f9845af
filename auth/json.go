package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"unicode/utf8"

	"boundary-app.org/realtime/wire"
)

// maxMembers bounds the work of finding duplicate names.
const maxMembers = 256

var (
	errNotObject = errors.New("not a JSON object in UTF-8")
	errDuplicate = errors.New("a name occurs twice (RFC 7519, section 4)")
	errMembers   = errors.New("more than 256 names")
	errNotString = errors.New("not a string")
	errNotList   = errors.New("not a list")
)

// member is one name and value of a JSON object: the name without quotes and
// escapes, the value as sent. Both may point into the parsed text.
type member struct{ name, value []byte }

// object is the top level of a JSON object, in the order sent.
//
// It exists because encoding/json takes the last of duplicate names in silence,
// and because splitting once is cheaper than decoding into a map.
type object []member

// appendObject appends the members of data to dst. Data must be one JSON object
// in UTF-8 without duplicate names.
func appendObject(dst object, data []byte) (object, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errNotObject
	}
	return appendMembers(dst, data)
}

// appendMembers is appendObject for data that is known to be valid JSON.
func appendMembers(dst object, data []byte) (object, error) {
	i := skipSpace(data, 0)
	if data[i] != '{' {
		return nil, errNotObject
	}
	for i = skipSpace(data, i+1); data[i] != '}'; i = skipComma(data, i) {
		nameEnd := valueEnd(data, i)
		name, err := text(data[i:nameEnd])
		if err != nil {
			return nil, err
		}
		i = skipSpace(data, skipSpace(data, nameEnd)+len(":"))
		end := valueEnd(data, i)
		if dst.value(name) != nil {
			return nil, errDuplicate
		}
		if len(dst) == maxMembers {
			return nil, errMembers
		}
		dst = append(dst, member{name, data[i:end]})
		i = end
	}
	return dst, nil
}

// value returns the value of the member with this name, nil where there is none.
func (o object) value(name []byte) []byte {
	for _, m := range o {
		if bytes.Equal(m.name, name) {
			return m.value
		}
	}
	return nil
}

// get is value, but a null counts as absent.
func (o object) get(name string) []byte {
	if value := o.value([]byte(name)); string(value) != "null" {
		return value
	}
	return nil
}

// text returns what a JSON string says. Without escapes it points into value.
func text(value []byte) ([]byte, error) {
	if value[0] != '"' {
		return nil, errNotString
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], nil
	}
	s, err := wire.Text(value)
	return []byte(s), err
}

// elements yields the elements of a valid JSON array as sent.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := skipSpace(array, 1); array[i] != ']'; i = skipComma(array, i) {
			end := valueEnd(array, i)
			if !yield(array[i:end]) {
				return
			}
			i = end
		}
	}
}

// The functions below walk valid JSON, therefore they check nothing.

func skipSpace(data []byte, i int) int {
	for data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r' {
		i++
	}
	return i
}

func skipComma(data []byte, i int) int {
	i = skipSpace(data, i)
	if data[i] == ',' {
		i = skipSpace(data, i+1)
	}
	return i
}

// valueEnd returns the index after the value that begins at i.
func valueEnd(data []byte, i int) int {
	switch data[i] {
	case '"':
		return stringEnd(data, i)
	case '{', '[':
		return containerEnd(data, i)
	}
	for i < len(data) && bytes.IndexByte([]byte(",]} \t\r\n"), data[i]) < 0 {
		i++
	}
	return i
}

func stringEnd(data []byte, i int) int {
	for i++; data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func containerEnd(data []byte, i int) int {
	depth := 0
	for {
		switch data[i] {
		case '"':
			i = stringEnd(data, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}
