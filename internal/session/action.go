package session

import (
	"bytes"
	"encoding/hex"
)

// action is the name that every command has.
const action = "action"

// holdsAction reports whether a text holds the string "action" anywhere. JSON may
// write each of its letters as an escape, too.
func holdsAction(text []byte) bool {
	if bytes.Contains(text, []byte(`"`+action+`"`)) {
		return true
	}
	if !bytes.Contains(text, []byte(`\u00`)) {
		return false
	}
	for {
		_, rest, found := bytes.Cut(text, []byte{'"'})
		if !found {
			return false
		}
		if beginsWithAction(rest) {
			return true
		}
		text = rest
	}
}

// beginsWithAction reports whether a text begins with the rest of the string "action".
func beginsWithAction(text []byte) bool {
	for _, letter := range []byte(action) {
		if len(text) > 0 && text[0] == letter {
			text = text[1:]
			continue
		}
		var code [1]byte
		if len(text) < 6 || string(text[:4]) != `\u00` {
			return false
		}
		if _, err := hex.Decode(code[:], text[4:6]); err != nil || code[0] != letter {
			return false
		}
		text = text[6:]
	}
	return len(text) > 0 && text[0] == '"'
}
