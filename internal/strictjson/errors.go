package strictjson

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	// ErrUTF8 is the error for text that is not valid UTF-8.
	ErrUTF8 = errors.New("it is not valid UTF-8")
	// ErrNotString is the error for a JSON value that is not a string.
	ErrNotString = errors.New("must be a string")
	// ErrSurrogate is the error for a JSON string with an unpaired surrogate escape.
	ErrSurrogate = errors.New("contains an unpaired UTF-16 surrogate escape")
)

// SyntaxError is the error for text that is not JSON.
type SyntaxError struct {
	Offset int // of the first wrong byte
	text   string
}

func (e *SyntaxError) Error() string { return "it is not valid JSON: " + e.text }

// RepeatedError is the error for an object with two members of one name.
type RepeatedError struct{ Name string }

func (e *RepeatedError) Error() string {
	return fmt.Sprintf("the name %.64q is given twice", e.Name)
}

// The places of syntax errors.
const (
	noValue    = "where a value must begin"
	noName     = "where a name must begin"
	noColon    = "after a name, where a colon must be"
	afterValue = "after a value"
	afterText  = "after the end of the value"
	inString   = "in a string"
	inEscape   = "in an escape"
	inNumber   = "in a number, where a digit must be"
	inLiteral  = "in true, false or null"
	tooDeep    = "deeper than 10000 levels"
)

// fail records a syntax error at i, unless i is -1, and returns -1.
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
