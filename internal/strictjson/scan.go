package strictjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
)

// The functions here return the index behind what they read, -1 where it is
// broken.

// value reads the value at i.
func (r *Reader) value(i int) int {
	data, outer := r.data, len(r.open)
	array := false // the innermost container that was entered here
	for {
		if i < len(data) && data[i] <= ' ' {
			i = skipSpace(data, i)
		}
		if i >= len(data) {
			return r.fail(i, noValue)
		}
		switch data[i] {
		case '"':
			i = r.str(i)
		case '{', '[':
			var empty bool
			if i, empty = r.into(i); !empty {
				if i < 0 {
					return -1
				}
				array = r.inArray()
				continue
			}
		case 't', 'f', 'n':
			i = r.literal(i)
		default:
			i = r.number(i)
		}
		if i < 0 {
			return -1
		}
		if array && i < len(data) && data[i] == ',' {
			i++
			continue
		}
		if i = r.next(i, outer); i < 0 || len(r.open) == outer {
			return i
		}
		array = r.inArray()
	}
}

// into enters an object or array at i, as far as its first value, or past it
// when it is empty.
func (r *Reader) into(i int) (behind int, empty bool) {
	bracket := r.data[i]
	if !r.push(bracket, i) {
		return -1, false
	}
	if i++; i < len(r.data) && r.data[i] <= ' ' {
		i = skipSpace(r.data, i)
	}
	if i < len(r.data) && r.data[i] == bracket+2 {
		r.pop()
		return i + 1, true
	}
	if bracket == '{' {
		i = r.member(i)
	}
	return i, false
}

// next steps from the end of a value to the next one, and out of what ends
// between them, but not further than outer.
func (r *Reader) next(i, outer int) int {
	data := r.data
	for len(r.open) > outer {
		if i < len(data) && data[i] <= ' ' {
			i = skipSpace(data, i)
		}
		if i >= len(data) {
			return r.fail(i, afterValue)
		}
		array := r.inArray()
		switch c := data[i]; {
		case c == ',' && array:
			return i + 1
		case c == ',':
			return r.member(i + 1)
		case c == ']' && array, c == '}' && !array:
			r.pop()
			i++
		default:
			return r.fail(i, afterValue)
		}
	}
	return i
}

// member reads a name and the colon behind it.
func (r *Reader) member(i int) int {
	data := r.data
	if i < len(data) && data[i] <= ' ' {
		i = skipSpace(data, i)
	}
	if i >= len(data) || data[i] != '"' {
		return r.fail(i, noName)
	}
	if end, packed := shortName(data, i+1); end > 0 {
		r.take(name{start: i + 1, end: end, mark: packed})
		i = end + 1
	} else if i = r.longName(i); i < 0 {
		return -1
	}
	if i < len(data) && data[i] <= ' ' {
		i = skipSpace(data, i)
	}
	if i >= len(data) || data[i] != ':' {
		return r.fail(i, noColon)
	}
	return i + 1
}

// longName is what member does with names that shortName does not read.
func (r *Reader) longName(i int) int {
	start := i + 1
	end := plain(r.data, start)
	if end < len(r.data) && r.data[end] == '"' {
		r.take(name{start: start, end: end, mark: mark(r.data, start, end)})
		return end + 1
	}
	if i = r.strFrom(i, end); i >= 0 {
		r.unescape(start, i-1)
	}
	return i
}

// str reads a string.
func (r *Reader) str(i int) int {
	end := plain(r.data, i+1)
	if end < len(r.data) && r.data[end] == '"' {
		return end + 1
	}
	return r.strFrom(i, end)
}

// strFrom reads the string that begins at start and is plain up to i.
func (r *Reader) strFrom(start, i int) int {
	for i < len(r.data) {
		switch r.data[i] {
		case '"':
			return i + 1
		case '\\':
			if i = r.escape(i); i < 0 {
				return -1
			}
			i = plain(r.data, i)
		default:
			return r.fail(i, inString)
		}
	}
	return r.fail(i, inString)
}

// plain returns the index of the first byte that is not simply part of a
// string: a quote, a backslash or a control character.
func plain(data []byte, i int) int {
	for ; i+8 <= len(data); i += 8 {
		if found := notPlain(binary.LittleEndian.Uint64(data[i:])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(data) && data[i] >= ' ' && data[i] != '"' && data[i] != '\\' {
		i++
	}
	return i
}

// notPlain returns the top bit of the first of eight bytes that is not plain, and
// maybe bits above it; 0 where all are.
func notPlain(x uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := x^ones*'"', x^ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*' ')&^x) & tops
}

// escape reads an escape, or the two that are one character.
func (r *Reader) escape(i int) int {
	unit, behind := escaped(r.data, i)
	if behind < 0 {
		return r.failEscape(i)
	}
	if utf16.IsSurrogate(unit) {
		second, end := escaped(r.data, behind)
		if utf16.DecodeRune(unit, second) == replacement {
			r.lone = true
			return behind
		}
		return end
	}
	return behind
}

// number reads a number, or finds that no value begins here.
func (r *Reader) number(i int) int {
	data := r.data
	start := i
	if data[i] == '-' {
		i++
	}
	whole := i
	if i = digits(data, i); i == whole {
		return r.failNumber(start, i)
	}
	if data[whole] == '0' {
		i = whole + 1 // a digit behind it belongs to nothing
	}
	if i < len(data) && (data[i] == '.' || data[i]|0x20 == 'e') {
		return r.fraction(i)
	}
	return i
}

// fraction reads what follows the digits of a number: a fraction, an exponent, or
// both.
func (r *Reader) fraction(i int) int {
	data := r.data
	if data[i] == '.' {
		first := i + 1
		if i = digits(data, first); i == first {
			return r.fail(i, inNumber)
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		first := i
		if i = digits(data, first); i == first {
			return r.fail(i, inNumber)
		}
	}
	return i
}

func digits(data []byte, i int) int {
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	return i
}

func (r *Reader) literal(i int) int {
	word := "null"
	switch r.data[i] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	}
	for k := range len(word) {
		if i+k == len(r.data) || r.data[i+k] != word[k] {
			return r.fail(i+k, inLiteral)
		}
	}
	return i + len(word)
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// push opens an object or array whose bracket stands at i.
func (r *Reader) push(bracket byte, i int) bool {
	if len(r.open) == maxDepth {
		r.fail(i, tooDeep)
		return false
	}
	r.open = append(r.open, bracket)
	if bracket == '{' {
		r.objects = append(r.objects, object{first: len(r.names)})
	}
	return true
}

func (r *Reader) pop() {
	if !r.inArray() {
		last := len(r.objects) - 1
		r.names = r.names[:r.objects[last].first]
		r.objects = r.objects[:last]
	}
	r.open = r.open[:len(r.open)-1]
}

// inArray reports whether what was opened last is an array.
func (r *Reader) inArray() bool { return r.open[len(r.open)-1] == '[' }

// closing returns the bracket that closes it: each stands two behind the one that
// opens.
func (r *Reader) closing() byte { return r.open[len(r.open)-1] + 2 }
