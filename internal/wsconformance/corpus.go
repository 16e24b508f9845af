package wsconformance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"unicode/utf8"
)

// corpora are what compression cases cut their messages from. They are made once; nothing changes
// them.
var corpora = sync.OnceValue(func() []corpus {
	return []corpus{
		newCorpus("JSON", opText, jsonRecord),
		newCorpus("text", opText, sentence),
		newCorpus("HTML", opText, htmlRow),
		newCorpus("bitmap", opBinary, pixels),
		newCorpus("PDF", opBinary, document),
	}
})

// corpus is one kind of content.
type corpus struct {
	name   string
	op     byte
	octets string
}

// corpusSize lets messages of 128 KB begin at many places.
const corpusSize = 256 << 10

func newCorpus(name string, op byte, piece func(*rand.Rand, int) string) corpus {
	r := rand.New(rand.NewPCG(1, uint64(len(name))))
	var b strings.Builder
	for i := 0; b.Len() < corpusSize; i++ {
		b.WriteString(piece(r, i))
	}
	return corpus{name, op, b.String()}
}

// message returns message i of about n octets: text begins and ends with a whole code point.
func (c corpus) message(i, n int) []byte {
	from := i * 4099 % (len(c.octets) - n)
	to := from + n
	if c.op == opText {
		for !utf8.RuneStart(c.octets[from]) {
			from++
		}
		for to > from && !utf8.RuneStart(c.octets[to]) {
			to--
		}
	}
	return []byte(c.octets[from:to])
}

func jsonRecord(r *rand.Rand, i int) string {
	return fmt.Sprintf("{\"type\":\"order-updated\",\"payload\":{\"order\":%d,\"state\":%q,\"total\":%d.%02d,\"tags\":[\"a\",\"b\"]}},\n",
		10_000+i, pick(r, "open", "paid", "packed", "sent"), r.IntN(500), r.IntN(100))
}

func sentence(r *rand.Rand, _ int) string {
	words := make([]string, 4+r.IntN(12))
	for i := range words {
		words[i] = pick(r, "the", "river", "straße", "went", "ünder", "naïve", "bridges", "of", "東京", "and", "seldom", "€", "returned")
	}
	return strings.Join(words, " ") + ". "
}

func htmlRow(r *rand.Rand, i int) string {
	return fmt.Sprintf("<tr class=%q><td>%d</td><td><a href=\"/items/%x\">%s &amp; more</a></td></tr>\n",
		pick(r, "odd", "even", "total"), i, r.Uint32(), pick(r, "first", "second", "third"))
}

// pixels is a line of a picture: a slope of grey with some noise.
func pixels(r *rand.Rand, i int) string {
	line := make([]byte, 256)
	for x := range line {
		line[x] = byte((x+i)/8) + byte(r.IntN(3))
	}
	return string(line)
}

// document is an object with a stream in it that compresses no further.
func document(r *rand.Rand, i int) string {
	stream := make([]byte, 512)
	for j := range stream {
		stream[j] = byte(r.Uint32())
	}
	return fmt.Sprintf("%d 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream\nendobj\n", i, len(stream), stream)
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }
