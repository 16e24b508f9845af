package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"

	"boundary-app.org/realtime/internal/strictjson"
)

// readBody returns the request's body, which says that it is JSON or says
// nothing; nil when it is blank.
func readBody(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(r.Body)
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, newProblem(bodyTooLarge,
			"the body is longer than %d bytes; send a reference to the data, or less at a time", over.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, newProblem(bodyTimeout, "the body took too long to arrive")
	case err != nil:
		return nil, newProblem(unreadableBody, "the body cannot be read: %s", err)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, nil
	}
	return data, checkMediaType(r.Header)
}

// requireBody is readBody for calls that make no sense without one.
func requireBody(r *http.Request) ([]byte, error) {
	data, err := readBody(r)
	if err == nil && data == nil {
		err = newProblem(missingBody, "the body is empty; send a JSON object")
	}
	return data, err
}

// refuseBody is for calls that take no body; the reader's limit is then zero.
func refuseBody(r *http.Request) error {
	if _, err := io.ReadAll(r.Body); err != nil {
		return newProblem(unexpectedBody, "this call takes no body; send none")
	}
	return nil
}

func checkMediaType(header http.Header) error {
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return newProblem(unsupportedEncoding, "the Content-Encoding is not supported; send the body as it is")
	}
	given := header.Get("Content-Type")
	if given == "" {
		return nil
	}
	mediaType, parameters, err := mime.ParseMediaType(given)
	charset := parameters["charset"]
	if err != nil || !isJSON(mediaType) || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return newProblem(unsupportedType,
			`the Content-Type is not JSON in UTF-8; send "Content-Type: application/json"`)
	}
	return nil
}

// isJSON knows the suffix of RFC 6839 too.
func isJSON(mediaType string) bool {
	return mediaType == "application/json" ||
		strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

// members are an object's, by name.
type members map[string]json.RawMessage

// list is an array of a body, of which no more than maxBatch elements are kept.
type list struct {
	entries []json.RawMessage
	size    int
	given   bool
}

// parseBody reads a whole body: one strict JSON object with no names but these.
func parseBody(data []byte, names ...string) (members, error) {
	m, _, err := parseListBody(data, "", names...)
	return m, err
}

// parseListBody is parseBody for a body that has a list, in the member with this
// name, which is not among those returned.
func parseListBody(data []byte, listName string, names ...string) (members, list, error) {
	r := strictjson.NewReader(data)
	m, entries, mistake := readObject(r, "the body", listName, names)
	if err := r.End(); err != nil {
		return nil, list{}, newProblem(malformedJSON, "the body cannot be used: %s", err)
	}
	return m, entries, mistake
}

// parseObject reads a part of a body that parseBody has accepted. Names are
// compared exactly, which a decoder into a struct would not do.
func parseObject(what string, data []byte, names ...string) (members, error) {
	r := strictjson.NewReader(data)
	m, _, err := readObject(r, what, "", names)
	_ = r.End() // parseBody has seen that it is nil
	return m, err
}

// readObject reads the object that comes next, to its end also where it has a
// mistake, which may turn out to be one in the grammar.
func readObject(r *strictjson.Reader, what, listName string, names []string) (m members, entries list, mistake error) {
	if !r.Object() {
		return nil, entries, badBody("%s must be a JSON object with %s", what, quoted(names))
	}
	m = members{}
	for r.More() {
		i := slices.IndexFunc(names, func(name string) bool { return name == string(r.Name()) })
		switch {
		case mistake != nil: // More checks what is left
		case i < 0:
			mistake = badBody("%s has the unknown name %.64q; known are %s", what, r.Name(), quoted(names))
		case names[i] != listName:
			m[names[i]] = r.Value()
		case !entries.read(r):
			mistake = badBody("%q must be an array", listName)
		}
	}
	if mistake == nil && listName != "" && !entries.given {
		mistake = badBody("%q is missing", listName)
	}
	return m, entries, mistake
}

// read reads the elements of the array that comes next; it returns false for
// anything else.
func (l *list) read(r *strictjson.Reader) bool {
	l.given = r.Array()
	if !l.given {
		return false
	}
	for r.More() {
		if l.size++; l.size <= maxBatch {
			l.entries = append(l.entries, r.Value())
		}
	}
	return true
}

func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// member reads a member into value, which stays as it is when there is none.
// Kind says what it must be.
func (m members) member(name, kind string, value any) error {
	raw, ok := m[name]
	if !ok {
		return nil
	}
	if string(raw) == "null" || json.Unmarshal(raw, value) != nil {
		return badBody("%q must be %s", name, kind)
	}
	return nil
}

// text is member for a string.
func (m members) text(name, kind string, value *string) error {
	raw, ok := m[name]
	if !ok {
		return nil
	}
	text, err := strictjson.Unquote(raw)
	switch {
	case errors.Is(err, strictjson.ErrSurrogate):
		return badBody("%q %s", name, err)
	case err != nil:
		return badBody("%q must be %s", name, kind)
	}
	*value = text
	return nil
}
