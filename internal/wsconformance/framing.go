package wsconformance

import (
	"fmt"
	"strings"
)

// pattern returns n octets of ASCII in which every position differs from its neighbours.
func pattern(n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return strings.Repeat(alphabet, n/len(alphabet)+1)[:n]
}

// highPattern returns n octets that are not UTF-8.
func highPattern(n int) string { return strings.Repeat("\xFE\x80\x00\xC1\xFF", n/5+1)[:n] }

// framing is group 1: every form of the length, in one frame.
func framing() (cases []testCase) {
	for _, kind := range []struct {
		name string
		make func(int) frame
		op   byte
	}{
		{"text", func(n int) frame { return text(pattern(n)) }, opText},
		{"binary", func(n int) frame { return binaryOf(highPattern(n)) }, opBinary},
	} {
		one := func(n int, c chop) testCase {
			f := kind.make(n)
			return script{
				name: fmt.Sprintf("1 %s of %d octets, %v", kind.name, n, c), chop: c,
				send: frames(f), want: events(event{op: kind.op, data: f.payload}), end: cleanly,
			}.testCase()
		}
		for _, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
			cases = append(cases, one(n, whole))
		}
		cases = append(cases, one(65536, 997))
	}
	return cases
}

// automatic is group 10: a message in fragments of a size that divides nothing.
func automatic() []testCase {
	message := pattern(65536)
	return scripts(script{
		name: "10 text of 65536 octets in fragments of 1300", chop: framed,
		send: fragments(opText, []byte(message), 1300), want: events(gotText(message)), end: cleanly,
	})
}
