package realtime

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"boundary-app.org/realtime/internal/revocation"
)

// packedIdentity is an identity in one string: a connection keeps its identity for as
// long as it lives and hardly ever looks at it, and a node keeps a hundred
// thousand of them. First come the claims, behind their length, then the fields;
// a text that stands in the claims word for word is only pointed to.
type packedIdentity string

func pack(id *Identity) packedIdentity {
	p := packer{claims: string(id.Claims)}
	p.b = make([]byte, 0, 64+len(id.Claims))
	p.number(uint64(len(p.claims)))
	p.b = append(p.b, p.claims...)
	p.text(id.UserID)
	p.texts(id.Roles)
	p.time(id.ExpiresAt)
	p.time(id.IssuedAt)
	p.text(id.Email)
	p.text(id.TokenID)
	p.texts(id.Permissions)
	p.texts(id.Topics)
	return packedIdentity(p.b)
}

// user returns the user id, without unpacking the rest.
func (p packedIdentity) user() string {
	r := p.unpacker()
	return r.text()
}

// roles returns the roles, each once; the strings are pieces of p.
func (p packedIdentity) roles() []string {
	r := p.unpacker()
	r.text()
	return r.texts()
}

// token returns what a revocation goes by. The digest is that of the whole: a
// token is packed in the same way each time.
func (p packedIdentity) token() revocation.Token {
	r := p.unpacker()
	t := revocation.Token{User: r.text()}
	r.texts()
	r.time()
	t.IssuedAt = r.time()
	r.text()
	t.ID = r.text()
	t.Digest = func() string {
		sum := sha256.Sum256([]byte(p))
		return base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return t
}

// expires returns when the token expires; zero is never.
func (p packedIdentity) expires() time.Time {
	r := p.unpacker()
	r.text()
	r.texts()
	return r.time()
}

// unpack returns the identity that was packed.
func (p packedIdentity) unpack() *Identity {
	r := p.unpacker()
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
	if r.claims != "" {
		id.Claims = json.RawMessage(r.claims)
	}
	return id
}

// packer writes what unpacker reads.
type packer struct {
	claims string
	b      []byte
}

func (p *packer) number(n uint64) { p.b = binary.AppendUvarint(p.b, n) }

// text writes twice the length, and the text; or twice the length and one, and
// where in the claims the text is.
func (p *packer) text(s string) {
	if at := strings.Index(p.claims, s); at >= 0 && len(s) > 1 {
		p.number(uint64(len(s))<<1 | 1)
		p.number(uint64(at))
		return
	}
	p.number(uint64(len(s)) << 1)
	p.b = append(p.b, s...)
}

// texts leaves out what repeats.
func (p *packer) texts(texts []string) {
	var unique []string
	for _, s := range texts {
		if !slices.Contains(unique, s) {
			unique = append(unique, s)
		}
	}
	p.number(uint64(len(unique)))
	for _, s := range unique {
		p.text(s)
	}
}

// time keeps milliseconds, and the zero time.
func (p *packer) time(t time.Time) {
	ms := t.UnixMilli()
	switch {
	case t.IsZero():
		ms = 0
	case ms == 0:
		ms = 1 // 0 stands for the zero time
	}
	p.number(uint64(ms))
}

type unpacker struct{ claims, rest string }

func (p packedIdentity) unpacker() unpacker {
	r := unpacker{rest: string(p)}
	r.claims = r.cut(r.number())
	return r
}

// cut takes the next n bytes.
func (r *unpacker) cut(n uint64) string {
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// number is encoding/binary's Uvarint for a string.
func (r *unpacker) number() (value uint64) {
	for shift := 0; ; shift += 7 {
		c := r.cut(1)[0]
		value |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return value
		}
	}
}

func (r *unpacker) text() string {
	n := r.number()
	if n&1 == 0 {
		return r.cut(n >> 1)
	}
	at := r.number()
	return r.claims[at : at+n>>1]
}

func (r *unpacker) texts() []string {
	n := r.number()
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
	ms := int64(r.number())
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
