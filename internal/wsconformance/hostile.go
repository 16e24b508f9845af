package wsconformance

import "strings"

// hostileDeflate are the cases of RFC 7692 that are not about payloads.
func hostileDeflate() (cases []testCase) {
	add := func(name string, run func(*peer) error) {
		cases = append(cases, compressed("deflate: "+name, []string{freshOffer}, run))
	}
	for _, s := range badOnDeflate() {
		add(s.name, func(p *peer) error {
			p.send(s.chop, s.send...)
			return s.end(p)
		})
	}
	for _, s := range rareDeflate() {
		add(s.name, func(p *peer) error {
			p.send(s.chop, s.send...)
			if err := p.expect(s.want...); err != nil {
				return err
			}
			return p.closes()
		})
	}
	add("text that is not UTF-8 once inflated", packedThen(opText, "caf\xE9", 0, failing(codeData)))
	add("text that is not UTF-8 once inflated, in fragments", packedThen(opText, pattern(300)+"\xED\xA0\x80", 5, failing(codeData)))
	add("text that ends inside a code point once inflated", packedThen(opText, "12 \xE2\x82", 0, failing(codeData)))
	add("binary that is not UTF-8 once inflated", packedThen(opBinary, highPattern(300), 5, echoing(gotBinary(highPattern(300)))))
	add("a ping inside a compressed message", packedPing)
	add("plain and compressed messages in turn", inTurn)
	return cases
}

// badOnDeflate are bits that may not be set although compression is negotiated, and data that is
// not deflate's.
func badOnDeflate() []script {
	marked := func(rsv byte, f frame) frame {
		f.rsv = rsv
		return f
	}
	stored := "\x00\x05\x00\xfa\xffhello" // a stored block, not the last
	return []script{
		{name: "RSV2 on text", send: frames(marked(rsv2, text("x"))), end: failing(codeProtocol)},
		{name: "RSV3 on text", send: frames(marked(rsv3, text("x"))), end: failing(codeProtocol)},
		{name: "RSV1 and RSV2 on text", send: frames(marked(rsv1|rsv2, text(stored))), end: failing(codeProtocol)},
		{name: "RSV1 on a ping", send: frames(marked(rsv1, ping("x"))), end: failing(codeProtocol)},
		{name: "RSV1 on a pong", send: frames(marked(rsv1, pong("x"))), end: failing(codeProtocol)},
		{name: "RSV1 on a close", send: frames(marked(rsv1, closing(codeNormal, ""))), end: failing(codeProtocol)},
		{
			name: "RSV1 on a continuation of a compressed message", end: failing(codeProtocol),
			send: frames(marked(rsv1, part(opText, stored[:4])), marked(rsv1, last(stored[4:]))),
		},
		{
			name: "RSV1 on a continuation of a plain message", end: failing(codeProtocol),
			send: frames(part(opText, "plain"), marked(rsv1, last(stored))),
		},
		{name: "a block of a type that does not exist", send: frames(marked(rsv1, binaryOf("\x07\xFF\xFF"))), end: failing(codeData, codeProtocol)},
		{name: "a stored block whose lengths disagree", send: frames(marked(rsv1, binaryOf("\x00\x05\x00\x05\x00hello"))), end: failing(codeData, codeProtocol)},
		{name: "a stored block that is cut", send: frames(marked(rsv1, binaryOf("\x00\x50\x00\xaf\xffhello"))), end: failing(codeData, codeProtocol)},
		{name: "a distance beyond what there is", send: frames(marked(rsv1, binaryOf("\x02\x02\x00\x00"))), end: failing(codeData, codeProtocol)},
	}
}

// rareDeflate is legal but seldom seen.
func rareDeflate() []script {
	const (
		stored = "\x00\x05\x00\xfa\xffhello\x00" // a stored block; the flush's header bits
		final  = "\x01\x05\x00\xfa\xffhello\x00" // the same, calling itself the last (section 7.2.3.4)
		fixed  = "\xf2\x48\xcd\xc9\xc9\x07\x00"  // section 7.2.3.1's way: a block with fixed codes
		twice  = "\x00\x02\x00\xfd\xffhe\x00\x03\x00\xfc\xffllo\x00"
	)
	marked := func(s string) frame { return frame{op: opText, rsv: rsv1, payload: []byte(s)} }
	return []script{
		{name: "a stored block", send: frames(marked(stored)), want: events(gotText("hello"))},
		{name: "a last block", send: frames(marked(final)), want: events(gotText("hello"))},
		{name: "fixed codes", send: frames(marked(fixed)), want: events(gotText("Hello"))},
		{name: "two blocks", send: frames(marked(twice)), want: events(gotText("hello"))},
		{name: "an empty message", send: frames(marked("\x00")), want: events(gotText(""))},
		{name: "a message, octet by octet", chop: octets, send: frames(marked(fixed)), want: events(gotText("Hello"))},
		{
			name: "empty fragments", want: events(gotText("Hello")),
			send: frames(frame{op: opText, rsv: rsv1, more: true}, part(opContinuation, fixed), part(opContinuation, ""), last("")),
		},
	}
}

// packedThen sends a compressed message and goes on with end.
func packedThen(op byte, message string, fragment int, end func(*peer) error) func(*peer) error {
	return func(p *peer) error {
		packed, err := p.out.pack([]byte(message))
		if err != nil {
			return err
		}
		p.send(whole, packedFrames(op, packed, fragment)...)
		return end(p)
	}
}

func echoing(want ...event) func(*peer) error {
	return func(p *peer) error {
		if err := p.expect(want...); err != nil {
			return err
		}
		return p.closes()
	}
}

func packedPing(p *peer) error {
	message := strings.Repeat("compressed, ", 100)
	packed, err := p.out.pack([]byte(message))
	if err != nil {
		return err
	}
	all := packedFrames(opText, packed, len(packed)/2+1)
	p.send(whole, all[0], ping("between"), all[1])
	return echoing(gotPong("between"), gotText(message))(p)
}

func inTurn(p *peer) error {
	for i := range 20 {
		message := corpora()[0].message(i, 2000)
		if _, err := p.echoPacked(opText, message, 0); err != nil {
			return err
		}
		p.send(whole, frame{op: opText, payload: message})
		if err := p.expect(event{op: opText, data: message}); err != nil {
			return err
		}
	}
	return p.closes()
}
