package strictjson

import (
	"fmt"
	"iter"
	"sync"
	"unicode/utf8"
)

// maxDepth is how deeply objects and arrays may be nested; encoding/json has the
// same bound.
const maxDepth = 10_000

// Reader steps through one JSON text and checks all of it on the way:
//
//	r := strictjson.NewReader(text)
//	for r.Object(); r.More(); {
//		if string(r.Name()) == "type" {
//			value = r.Value()
//		}
//	}
//	err := r.End()
//
// Slices that it returns point into the text, but for names with escapes; they
// are complete and valid JSON, although text further on may turn out broken.
// After an error in the grammar More returns false and Value nil.
type Reader struct {
	data  []byte
	at    int  // what is before it has been read
	ready bool // a value follows that has not been read
	first bool // nothing of the innermost open container has been read
	name  []byte

	open      []byte   // the brackets that opened what is open
	objects   []int    // for each open object the index of its first name
	names     []name   // of all open objects, the innermost object's last
	slots     []uint32 // a hash table of indices of names, see insert
	unescaped []byte   // the names with escapes, without them

	syntax       error // the grammar is broken; nothing more is read
	repeated     error // the first name that an object has twice
	unpaired     bool  // a string that was read has an unpaired surrogate escape
	unpairedName bool  // the name that More stepped to has one
}

var readers = sync.Pool{New: func() any { return new(Reader) }}

// NewReader returns a Reader of text, which must not change until End.
func NewReader(text []byte) *Reader {
	r, _ := readers.Get().(*Reader)
	r.data, r.ready = text, true
	return r
}

// Object enters the value that comes next, if it is an object: its members are
// what More steps through. Otherwise it returns false, and Value returns the
// value.
func (r *Reader) Object() bool { return r.enter('{') }

// Array is Object for an array and its elements.
func (r *Reader) Array() bool { return r.enter('[') }

func (r *Reader) enter(bracket byte) bool {
	if r.syntax != nil || !r.ready {
		return false
	}
	r.at = skipSpace(r.data, r.at)
	if r.at == len(r.data) || r.data[r.at] != bracket {
		return false
	}
	if len(r.open) == maxDepth {
		r.fail(r.at, tooDeep)
		return false
	}
	r.push(bracket)
	r.at++
	r.ready, r.first = false, true
	return true
}

// More steps to the next member or element of what was entered last. It returns
// false at its end, and leaves it. A value that was not read is skipped.
func (r *Reader) More() bool {
	r.skip()
	if r.syntax != nil || len(r.open) == 0 {
		return false
	}
	r.at = skipSpace(r.data, r.at)
	first := r.first
	r.first = false
	switch {
	case r.at < len(r.data) && r.data[r.at] == closing(r.innermost()):
		r.pop()
		r.at++
		return false
	case first:
	case r.at < len(r.data) && r.data[r.at] == ',':
		r.at++
	default:
		r.fail(r.at, afterValue)
		return false
	}
	r.ready = true
	return r.readName()
}

// readName reads a member's name and colon; an element has neither.
func (r *Reader) readName() bool {
	if r.innermost() == '[' {
		return true
	}
	before := r.unpaired
	r.unpaired = false
	i := r.member(r.at)
	r.unpairedName = r.unpaired
	r.unpaired = r.unpaired || before
	if i < 0 {
		return false
	}
	r.at = i
	r.name = r.nameAt(r.names[len(r.names)-1])
	return true
}

// Name returns the name of the member that More stepped to, without quotes and
// escapes; an unpaired surrogate escape counts as U+FFFD. It must not be changed.
func (r *Reader) Name() []byte { return r.name }

// UnpairedName reports whether the name that More stepped to has an unpaired
// surrogate escape.
func (r *Reader) UnpairedName() bool { return r.unpairedName }

// Value returns the value of the member or element that More stepped to, or
// the whole text's, without the space around it; nil where it is broken.
func (r *Reader) Value() []byte {
	if r.syntax != nil || !r.ready {
		return nil
	}
	r.ready = false
	start := skipSpace(r.data, r.at)
	end := r.value(start)
	if end < 0 {
		return nil
	}
	r.at = end
	return r.data[start:end:end]
}

func (r *Reader) skip() {
	if r.ready {
		r.Value()
	}
}

// End reads what is left and returns what is wrong with the text: a
// *SyntaxError, else ErrUTF8, else a *RepeatedError. The Reader must not be used after it;
// names stay as they are.
func (r *Reader) End() error {
	r.finish()
	err := r.err()
	r.release()
	return err
}

// EndPaired is End, and where that returns nil, ErrSurrogate if any string or name
// of the text contains an unpaired surrogate escape.
func (r *Reader) EndPaired() error {
	r.finish()
	err := r.err()
	if err == nil && r.unpaired {
		err = fmt.Errorf("a string or a name in it %w", ErrSurrogate)
	}
	r.release()
	return err
}

// finish reads what is left.
func (r *Reader) finish() {
	r.skip()
	for len(r.open) > 0 && r.syntax == nil {
		for r.More() {
		}
	}
	if i := skipSpace(r.data, r.at); i < len(r.data) && r.syntax == nil {
		r.fail(i, afterText)
	}
}

func (r *Reader) err() error {
	switch {
	case r.syntax != nil:
		return r.syntax
	case !utf8.Valid(r.data):
		return ErrUTF8
	}
	return r.repeated
}

// release keeps the Reader's memory for the next NewReader.
func (r *Reader) release() {
	if cap(r.names) > keptNames {
		r.names, r.slots = nil, nil
	}
	r.data, r.name, r.unescaped, r.syntax, r.repeated = nil, nil, nil, nil, nil
	r.at, r.ready, r.unpaired = 0, false, false
	r.open, r.objects, r.names = r.open[:0], r.objects[:0], r.names[:0]
	readers.Put(r)
}

// Check returns nil when text is one strict JSON value, or what End returns.
func Check(text []byte) error { return NewReader(text).End() }

// Elements returns the elements of a valid JSON array as they stand in it.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		r := NewReader(array)
		for r.Array(); r.More(); {
			if !yield(r.Value()) {
				break
			}
		}
		_ = r.End() // nil: the array is valid
	}
}

// StartsObject reports whether the first byte of text that is not space begins
// an object.
func StartsObject(text []byte) bool {
	i := skipSpace(text, 0)
	return i < len(text) && text[i] == '{'
}
