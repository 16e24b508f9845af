package strictjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
)

// The functions here return the index after what they read, -1 where it is
// broken.

// value reads the value at i.
func (r *Reader) value(i int) int {
	data, outer := r.data, len(r.open)
	inner := byte(0) // the bracket of the innermost container that was entered here
	for {
		if uint(i) >= uint(len(data)) {
			return r.fail(i, noValue)
		}
		switch data[i] {
		case ' ', '\n', '\t', '\r':
			i = skipSpace(data, i)
			continue
		case '"':
			i = r.str(i)
		case '0':
			i = r.fraction(i + 1) // no digit may follow; if one does, next finds it
		case '1', '2', '3', '4', '5', '6', '7', '8', '9':
			i = r.fraction(digits(data, i+1))
		case '{', '[':
			var empty bool
			if i, empty = r.into(i); !empty {
				inner = r.innermost()
				continue
			}
		default:
			i = r.otherValue(i)
		}
		switch {
		case inner == 0 || uint(i) >= uint(len(data)) || data[i] != ',':
			if i = r.next(i, outer); i < 0 || len(r.open) == outer {
				return i
			}
			inner = r.innermost()
		case inner == '{':
			i = r.member(i + 1)
		default:
			i++
		}
	}
}

// otherValue reads true, false, null or a negative number.
func (r *Reader) otherValue(i int) int {
	switch r.data[i] {
	case 't':
		return r.literal(i, "true")
	case 'f':
		return r.literal(i, "false")
	case 'n':
		return r.literal(i, "null")
	case '-':
		return r.negative(i + 1)
	}
	return r.fail(i, noValue)
}

// into enters an object or array at i, as far as its first value, or past it
// when it is empty.
func (r *Reader) into(i int) (next int, empty bool) {
	bracket := r.data[i]
	if len(r.open) == maxDepth {
		return r.fail(i, tooDeep), true
	}
	r.push(bracket)
	if i++; i < len(r.data) && r.data[i] <= ' ' {
		i = skipSpace(r.data, i)
	}
	if i < len(r.data) && r.data[i] == closing(bracket) {
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
	for i >= 0 && len(r.open) > outer {
		if i < len(data) && data[i] <= ' ' {
			i = skipSpace(data, i)
		}
		inner := r.innermost()
		switch {
		case i < len(data) && data[i] == closing(inner):
			r.pop()
			i++
		case i == len(data) || data[i] != ',':
			return r.fail(i, afterValue)
		case inner == '{':
			return r.member(i + 1)
		default:
			return i + 1
		}
	}
	return i
}

// member reads a name and the colon after it.
func (r *Reader) member(i int) int {
	data := r.data
	if i >= len(data) || data[i] != '"' {
		if i = skipSpace(data, i); i >= len(data) || data[i] != '"' {
			return r.fail(i, noName)
		}
	}
	size, hash := shortName(data, i+1)
	if end := i + 1 + size; end < len(data) && data[end] == '"' {
		r.addName(name{start: i + 1, end: end, hash: hash})
		i = end + 1
	} else if i = r.longName(i); i < 0 {
		return -1
	}
	if i >= len(data) || data[i] != ':' {
		if i = skipSpace(data, i); i >= len(data) || data[i] != ':' {
			return r.fail(i, noColon)
		}
	}
	return i + 1
}

// longName is what member does with names that shortName does not read.
func (r *Reader) longName(i int) int {
	start := i + 1
	end := plain(r.data, start)
	if end < len(r.data) && r.data[end] == '"' {
		r.addName(name{start: start, end: end, hash: hashName(r.data[start:end])})
		return end + 1
	}
	if i = r.strFrom(i, end); i >= 0 {
		r.addEscapedName(start, i-1)
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
	unit, next := escaped(r.data, i)
	if next < 0 {
		return r.failEscape(i)
	}
	if utf16.IsSurrogate(unit) {
		second, end := escaped(r.data, next)
		if utf16.DecodeRune(unit, second) == replacement {
			r.unpaired = true
			return next
		}
		return end
	}
	return next
}

// negative reads what follows the sign of a number.
func (r *Reader) negative(i int) int {
	whole := i
	if i = digits(r.data, i); i == whole {
		return r.fail(i, inNumber)
	}
	if r.data[whole] == '0' {
		i = whole + 1
	}
	return r.fraction(i)
}

// fraction reads the fraction and the exponent of a number, if it has them.
func (r *Reader) fraction(i int) int {
	data := r.data
	if i < len(data) && data[i] == '.' {
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

func (r *Reader) literal(i int, word string) int {
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

// push opens an object or array.
func (r *Reader) push(bracket byte) {
	r.open = append(r.open, bracket)
	if bracket == '{' {
		r.objects = append(r.objects, len(r.names))
	}
}

func (r *Reader) pop() {
	if r.innermost() == '{' {
		last := len(r.objects) - 1
		r.names = r.names[:r.objects[last]]
		r.objects = r.objects[:last]
	}
	r.open = r.open[:len(r.open)-1]
}

// innermost returns the bracket that opened what was opened last.
func (r *Reader) innermost() byte { return r.open[len(r.open)-1] }

// closing returns the bracket that closes what a bracket opens: in ASCII it is
// two higher.
func closing(bracket byte) byte { return bracket + 2 }
