package wsconformance

import (
	"fmt"
	"slices"
	"strings"
)

// unicode is group 6.
func unicode() []testCase {
	return slices.Concat(textsInPieces(), failFast(), vectors())
}

const phrase = "Übergröße: 12 € für 東京 → 🚀"

// inPieces returns a text as frames of those pieces.
func inPieces(pieces ...string) []frame {
	all := frames(part(opText, pieces[0]))
	for _, piece := range pieces[1:] {
		all = append(all, part(opContinuation, piece))
	}
	all[len(all)-1].more = false
	return all
}

func splitOctets(s string) (pieces []string) {
	for i := range len(s) {
		pieces = append(pieces, s[i:i+1])
	}
	return pieces
}

// textsInPieces are 6.1 to 6.3: valid and invalid text, cut in every way.
func textsInPieces() []testCase {
	const bad = "before \xED\xA0\x80 after"
	cut := strings.Index(phrase, "für")
	return scripts(
		script{name: "6.1 empty text", send: frames(text("")), want: events(gotText("")), end: cleanly},
		script{name: "6.1 three empty fragments", send: inPieces("", "", ""), want: events(gotText("")), end: cleanly},
		script{name: "6.1 text between empty fragments", send: inPieces("", phrase, ""), want: events(gotText(phrase)), end: cleanly},
		script{name: "6.2 text in one frame", send: frames(text(phrase)), want: events(gotText(phrase)), end: cleanly},
		script{name: "6.2 text cut between code points", send: inPieces(phrase[:cut], phrase[cut:]), want: events(gotText(phrase)), end: cleanly},
		script{name: "6.2 text, an octet a frame", send: inPieces(splitOctets(phrase)...), want: events(gotText(phrase)), end: cleanly},
		script{name: "6.2 text, octet by octet", chop: octets, send: frames(text(phrase)), want: events(gotText(phrase)), end: cleanly},
		script{name: "6.3 a surrogate, in one frame", send: frames(text(bad)), end: failing(codeData)},
		script{name: "6.3 a surrogate, an octet a frame", send: inPieces(splitOctets(bad)...), end: failing(codeData)},
	)
}

// failFast are 6.4: the rest of a message is sent only if its bad octet was not refused at once.
func failFast() (cases []testCase) {
	for _, bad := range []struct{ name, text string }{
		{"a code point above U+10FFFF", "\xF4\x90"},
		{"an octet that is never UTF-8", "\xFF"},
	} {
		fragmented := opened(fmt.Sprintf("6.4 %s ends a fragment", bad.name), func(p *peer) error {
			p.send(framed, part(opText, "good "), part(opContinuation, bad.text))
			return p.failsEarly(codeData, last("\x80\x80 good").append(nil, p.isClient))
		})
		inside := opened(fmt.Sprintf("6.4 %s inside a frame", bad.name), func(p *peer) error {
			const rest = "\x80\x80 good"
			all := text("good "+bad.text+rest).append(nil, p.isClient)
			p.write(all[:len(all)-len(rest)-1])
			p.write(all[len(all)-len(rest)-1 : len(all)-len(rest)])
			return p.failsEarly(codeData, all[len(all)-len(rest):])
		})
		cases = append(cases, fragmented, inside)
	}
	return cases
}

// vector is octets that are UTF-8 or not.
type vector struct {
	number string
	octets string
	valid  bool
}

// vectors are 6.5 to 6.23, each as one frame and as a frame for each octet.
func vectors() (cases []testCase) {
	for _, v := range slices.Concat(wholeAndCut(), bounds(), strays(), overlong(), surrogates(), specials()) {
		s := script{name: fmt.Sprintf("%s % x", v.number, v.octets), send: frames(text(v.octets)), end: failing(codeData)}
		if v.valid {
			s.want, s.end = events(gotText(v.octets)), cleanly
		}
		cases = append(cases, s.testCase())
		s.name += ", an octet a frame"
		s.send = inPieces(splitOctets(v.octets)...)
		cases = append(cases, s.testCase())
	}
	return cases
}
