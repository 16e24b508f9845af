package realtime

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"
)

// packed is an identity in one string: a connection keeps its identity for as
// long as it lives and hardly ever looks at it, and a node keeps a hundred
// thousand of them. The fields are written one after the other, each string
// behind its length.
type packed string

func pack(id *Identity) packed {
	b := make([]byte, 0, 64+len(id.Claims))
	b = appendText(b, id.UserID)
	b = appendTexts(b, id.Roles)
	b = appendTime(b, id.ExpiresAt)
	b = appendTime(b, id.IssuedAt)
	b = appendText(b, id.Email)
	b = appendText(b, id.TokenID)
	b = appendTexts(b, id.Permissions)
	b = appendTexts(b, id.Topics)
	b = append(b, id.Claims...)
	return packed(b)
}

// user returns the user id, without unpacking the rest.
func (p packed) user() string {
	r := unpacker{string(p)}
	return r.text()
}

// roles returns the roles; the strings are pieces of p.
func (p packed) roles() []string {
	r := unpacker{string(p)}
	r.text()
	return r.texts()
}

// identity returns what was packed, with every role once.
func (p packed) identity() *Identity {
	r := unpacker{string(p)}
	id := &Identity{
		UserID:      r.text(),
		Roles:       r.texts(),
		ExpiresAt:   r.time(),
		IssuedAt:    r.time(),
		Email:       r.text(),
		TokenID:     r.text(),
		Permissions: r.texts(),
		Topics:      r.texts(),
	}
	if r.rest != "" {
		id.Claims = json.RawMessage(r.rest)
	}
	return id
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendTexts leaves out what repeats.
func appendTexts(b []byte, texts []string) []byte {
	unique := texts
	for i, s := range texts {
		if slices.Contains(texts[:i], s) {
			unique = slices.Compact(slices.Sorted(slices.Values(texts)))
			break
		}
	}
	b = binary.AppendUvarint(b, uint64(len(unique)))
	for _, s := range unique {
		b = appendText(b, s)
	}
	return b
}

// appendTime keeps milliseconds, and the zero time.
func appendTime(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	switch {
	case t.IsZero():
		ms = 0
	case ms == 0:
		ms = 1 // 0 stands for the zero time
	}
	return binary.AppendVarint(b, ms)
}

// unpacker reads what pack wrote.
type unpacker struct{ rest string }

func (r *unpacker) uvarint() uint64 {
	var value uint64
	for shift := 0; ; shift += 7 {
		c := r.rest[0]
		r.rest = r.rest[1:]
		value |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return value
		}
	}
}

func (r *unpacker) text() string {
	n := r.uvarint()
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *unpacker) texts() []string {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = r.text()
	}
	return texts
}

func (r *unpacker) time() time.Time {
	u := r.uvarint()
	ms := int64(u>>1) ^ -int64(u&1) // zigzag, as encoding/binary writes it
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
