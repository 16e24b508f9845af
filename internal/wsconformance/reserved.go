package wsconformance

import "fmt"

// reservedBits is group 3. RSV1 alone on data means compression where that was negotiated, so that
// it is offered nowhere in this group.
func reservedBits(o *Options) []testCase {
	plain := func(s script) testCase {
		run := s.testCase().run
		return testCase{s.name, func(p *peer) error {
			without := *o
			without.Compression = false
			p.opts = &without
			return run(p)
		}}
	}
	good := text("this one is good")
	echoed := maybe(gotText("this one is good"))
	bits := func(rsv byte, f frame) frame {
		f.rsv = rsv
		return f
	}
	bad := func(rsv byte) frame { return bits(rsv, text("this one is not")) }
	var cases []testCase
	for _, s := range []script{
		{name: "3.1 RSV 1 on text", send: frames(bad(1)), end: failing(codeProtocol)},
		{name: "3.2 RSV 2 on text, behind a good message and before a ping", send: frames(good, bad(2), ping("")), want: events(echoed), end: failing(codeProtocol)},
		{name: "3.3 RSV 3 on text, behind a good message, frame by frame", chop: framed, send: frames(good, bad(3), ping("")), want: events(echoed), end: failing(codeProtocol)},
		{name: "3.4 RSV 4 on text, behind a good message, octet by octet", chop: octets, send: frames(good, bad(4), ping("")), want: events(echoed), end: failing(codeProtocol)},
		{name: "3.5 RSV 5 on binary", send: frames(bits(5, binaryOf("\x00\xFF"))), end: failing(codeProtocol)},
		{name: "3.6 RSV 6 on a ping", send: frames(bits(6, ping("x"))), end: failing(codeProtocol)},
		{name: "3.7 RSV 7 on a close", send: frames(bits(7, closing(codeNormal, ""))), end: failing(codeProtocol)},
	} {
		cases = append(cases, plain(s))
	}
	return cases
}

// reservedOpcodes is group 4.
func reservedOpcodes() (cases []testCase) {
	for i, first := range []byte{3, 11} {
		name := func(n int, format string, op byte) string {
			return fmt.Sprintf("4.%d.%d ", i+1, n) + fmt.Sprintf(format, op)
		}
		good, echoed := text("known"), maybe(gotText("known"))
		bare := func(op byte) frame { return frame{op: op} }
		full := func(op byte) frame { return frame{op: op, payload: []byte("unknown")} }
		cases = append(cases, scripts(
			script{name: name(1, "opcode %d", first), send: frames(bare(first)), end: failing(codeProtocol)},
			script{name: name(2, "opcode %d with a payload", first+1), send: frames(full(first + 1)), end: failing(codeProtocol)},
			script{name: name(3, "opcode %d behind a good message", first+2), send: frames(good, bare(first+2), ping("")), want: events(echoed), end: failing(codeProtocol)},
			script{name: name(4, "opcode %d with a payload behind a good message", first+3), chop: framed, send: frames(good, full(first+3), ping("")), want: events(echoed), end: failing(codeProtocol)},
			script{name: name(5, "opcode %d with a payload, octet by octet", first+4), chop: octets, send: frames(good, full(first+4), ping("")), want: events(echoed), end: failing(codeProtocol)},
		)...)
	}
	return cases
}
