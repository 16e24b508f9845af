package strictjson

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	// ErrUTF8 says that a text has bytes that are not UTF-8.
	ErrUTF8 = errors.New("it is not valid UTF-8")
	// ErrNotString says that a JSON value is not a string.
	ErrNotString = errors.New("must be a string")
	// ErrSurrogate says that a JSON string contains an unpaired surrogate escape.
	ErrSurrogate = errors.New("contains an unpaired UTF-16 surrogate escape")
)

// SyntaxError says where a text is not JSON.
type SyntaxError struct {
	Offset int // bytes before the first one that is wrong
	text   string
}

func (e *SyntaxError) Error() string { return "it is not valid JSON: " + e.text }

// RepeatedError says that an object names a member twice.
type RepeatedError struct{ Name string }

func (e *RepeatedError) Error() string {
	return fmt.Sprintf("the name %.64q is given twice", e.Name)
}

// Where the grammar is broken.
const (
	noValue    = "where a value must begin"
	noName     = "where a name must begin"
	noColon    = "behind a name, where a colon must stand"
	afterValue = "behind a value"
	afterText  = "behind the end of the text's value"
	inString   = "in a string"
	inEscape   = "in an escape"
	inNumber   = "in a number, where a digit must stand"
	inLiteral  = "in true, false or null"
	tooDeep    = "deeper than 10000 levels"
)

// fail notes that the text is broken at i, unless i is -1, and returns -1.
func (r *Reader) fail(i int, where string) int {
	if i < 0 {
		return i
	}
	text := "unexpected end of JSON input"
	if i < len(r.data) {
		c, _ := utf8.DecodeRune(r.data[i:])
		text = fmt.Sprintf("invalid character %q at byte %d, %s", c, i+1, where)
	}
	r.syntax = &SyntaxError{Offset: i, text: text}
	return -1
}

// failEscape finds the first byte of an escape that is wrong.
func (r *Reader) failEscape(i int) int {
	i++
	if i < len(r.data) && r.data[i] == 'u' {
		i++
		for i < len(r.data) && hexDigit(r.data[i]) >= 0 {
			i++
		}
	}
	return r.fail(i, inEscape)
}
