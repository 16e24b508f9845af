package wsconformance

import (
	"bytes"
	"fmt"
)

// Message counts of a compression case.
const (
	fewMessages  = 2
	manyMessages = 1000
)

// shape is the size of messages and of their fragments. Zero: one frame.
type shape struct{ size, fragment int }

func (s shape) String() string {
	if s.fragment == 0 {
		return fmt.Sprintf("%d octets", s.size)
	}
	return fmt.Sprintf("%d octets in fragments of %d", s.size, s.fragment)
}

func shapes() (all []shape) {
	for _, size := range []int{16, 64, 256, 1 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10} {
		all = append(all, shape{size, 0})
	}
	for _, size := range []int{8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10} {
		all = append(all, shape{size, 256})
	}
	return append(all, shape{128 << 10, 1 << 10}, shape{128 << 10, 4 << 10}, shape{128 << 10, 32 << 10})
}

// compressedPayloads is group 12: every kind of content in every shape.
func compressedPayloads(o *Options) (cases []testCase) {
	for i, content := range corpora() {
		for _, s := range shapes() {
			name := fmt.Sprintf("12.%d %s, %v", i+1, content.name, s)
			cases = append(cases, compressedEchoes(o, name, []string{freshOffer}, content, s))
		}
	}
	return cases
}

// compressedOffers is group 13: every offer in every shape. What a client offers is its own choice,
// so that the offers are for servers only.
func compressedOffers(o *Options, under role) (cases []testCase) {
	if under == client {
		return nil
	}
	for i, offers := range [][]string{
		{plainOffer},
		{freshOffer},
		{deflateName + "; server_max_window_bits=9"},
		{deflateName + "; server_max_window_bits=15; client_max_window_bits"},
		{deflateName + "; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9"},
		{deflateName + "; server_no_context_takeover; server_max_window_bits=15"},
		{
			deflateName + "; server_no_context_takeover; server_max_window_bits=9",
			deflateName + "; server_no_context_takeover, " + plainOffer,
		},
	} {
		for _, s := range shapes() {
			name := fmt.Sprintf("13.%d %q, %v", i+1, offers, s)
			cases = append(cases, compressedEchoes(o, name, offers, corpora()[0], s))
		}
	}
	return cases
}

func compressedEchoes(o *Options, name string, offers []string, content corpus, s shape) testCase {
	count := fewMessages
	if o.Full {
		count = manyMessages
	}
	return compressed(name, offers, func(p *peer) error {
		wasPacked := false
		for i := range count {
			message := content.message(i, s.size)
			got, err := p.echoPacked(content.op, message, s.fragment)
			if err != nil {
				return fmt.Errorf("message %d: %w", i, err)
			}
			wasPacked = wasPacked || got.packed
		}
		if !wasPacked && s.size >= worthPacking && content.name != "PDF" {
			p.note("it agreed to compress, and does not")
		}
		return p.closes()
	})
}

// worthPacking is a size from which an endpoint that agreed to compress should do so, in octets.
const worthPacking = 1 << 10

// echoPacked sends a compressed message and reads its echo.
func (p *peer) echoPacked(op byte, message []byte, fragment int) (event, error) {
	packed, err := p.out.pack(message)
	if err != nil {
		return event{}, err
	}
	p.send(whole, packedFrames(op, packed, fragment)...)
	got, err := p.next()
	if err != nil {
		return got, describe(err)
	}
	if got.op != op || !bytes.Equal(got.data, message) {
		return got, fmt.Errorf("got %v, which is not what was sent", got)
	}
	return got, nil
}

// packedFrames returns the frames of a compressed message: RSV1 is set on the first only.
func packedFrames(op byte, packed []byte, fragment int) []frame {
	if fragment == 0 {
		fragment = max(len(packed), 1)
	}
	all := fragments(op, packed, fragment)
	all[0].rsv = rsv1
	return all
}
