package faults

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Source is who numbers: one publisher, to one stream. The name of a stream is
// an address: a topic, a user, everyone. Neither holds a vertical bar.
type Source struct {
	Stream    string
	Publisher string
}

// Stamp is the number that a source gave to a message. The first is 1.
type Stamp struct {
	Source
	Seq uint64
}

// ErrCorrupt says that a payload is not one that Payload made.
var ErrCorrupt = errors.New("faults: the payload is corrupt")

// String returns the stamp for people.
func (s Stamp) String() string { return fmt.Sprintf("%s from %s, %d", s.Stream, s.Publisher, s.Seq) }

// Payload returns a text with the stamp and a checksum, of at least size octets.
func (s Stamp) Payload(size int) string {
	var b strings.Builder
	b.WriteString(s.Stream + "|" + s.Publisher + "|" + strconv.FormatUint(s.Seq, 10) + "|")
	const behind = len("|00000000")
	for missing := size - b.Len() - behind; missing > 0; missing = size - b.Len() - behind {
		from := s.Seq % 26 // messages differ from each other, and so do places
		b.WriteString(alphabet[from:][:min(missing, 26)])
	}
	return b.String() + "|" + checksum(b.String())
}

// alphabet holds 26 letters from each of its first 26 places on.
const alphabet = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"

func checksum(text string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text))) }

// ParsePayload returns a payload's stamp. The error matches ErrCorrupt.
func ParsePayload(payload string) (Stamp, error) {
	end := strings.LastIndexByte(payload, '|')
	if end < 0 || checksum(payload[:end]) != payload[end+1:] {
		return Stamp{}, fmt.Errorf("%w: the checksum differs", ErrCorrupt)
	}
	fields := strings.SplitN(payload[:end], "|", 4)
	if len(fields) != 4 {
		return Stamp{}, fmt.Errorf("%w: a field is missing", ErrCorrupt)
	}
	seq, err := strconv.ParseUint(fields[2], 10, 64)
	if err != nil || seq == 0 {
		return Stamp{}, fmt.Errorf("%w: %q is no number", ErrCorrupt, fields[2])
	}
	return Stamp{Source{fields[0], fields[1]}, seq}, nil
}
