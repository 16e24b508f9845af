package auth

import (
	"bytes"
	"errors"

	"boundary-app.org/realtime/internal/strictjson"
)

// maxMembers bounds the work of finding duplicate names.
const maxMembers = 256

var (
	errNotObject = errors.New("not a JSON object in UTF-8")
	errDuplicate = errors.New("a name occurs twice (RFC 7519, section 4)")
	errMembers   = errors.New("more than 256 names")
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
// in UTF-8 that has no name twice; objects below it may, until one of them is read.
func appendObject(dst object, data []byte) (object, error) {
	var mistake error
	r := strictjson.NewReader(data)
	isObject := r.Object()
	for r.More() {
		name, value := r.Name(), r.Value()
		switch {
		case mistake != nil: // More checks what is left
		case r.UnpairedName():
			mistake = strictjson.ErrSurrogate
		case dst.value(name) != nil:
			mistake = &repeatedName{string(name)}
		case len(dst) == maxMembers:
			mistake = errMembers
		default:
			dst = append(dst, member{name, value})
		}
	}
	if err := r.End(); !isObject || err != nil && !isRepeated(err) {
		return nil, errNotObject
	}
	if mistake != nil {
		return nil, mistake
	}
	return dst, nil
}

// repeatedName is errDuplicate with the name. The text leaves the name out, since it
// comes from the token.
type repeatedName struct{ name string }

func (e *repeatedName) Error() string { return errDuplicate.Error() }

// Unwrap returns errDuplicate.
func (e *repeatedName) Unwrap() error { return errDuplicate }

func isRepeated(err error) bool {
	var repeated *strictjson.RepeatedError
	return errors.As(err, &repeated)
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
