package wsconformance

import (
	"fmt"
	"math"
	"slices"
)

// beyond are the cases that the long list leaves out and real endpoints fail.
func beyond(o *Options, under role) []testCase {
	all := slices.Concat(lengths(), masks(), floods(o), moreCloses(), hostileDeflate())
	if under == server {
		all = append(all,
			testCase{"frames in the packet of the handshake", pipelined},
			opened("messages, a close, and the end of the stream", func(p *peer) error { return streamEnds(p, closing(codeNormal, ""), p.answersClose, codeNormal) }),
			opened("messages, rubbish, and the end of the stream", func(p *peer) error {
				return streamEnds(p, frame{op: 3}, p.fails, codeProtocol)
			}),
		)
	}
	return all
}

// declares is a frame that declares a length and brings only a little.
func declares(op byte, width int, length uint64) frame {
	return frame{op: op, payload: []byte("abc"), width: width, declared: length}
}

func lengths() []testCase {
	cases := scripts(
		script{name: "length of 64 bits with the top bit set", send: frames(declares(opBinary, 8, 1<<63)), end: failing(codeProtocol, codeTooBig)},
		script{name: "length of 64 bits, all of them set", send: frames(declares(opBinary, 8, math.MaxUint64)), end: failing(codeProtocol, codeTooBig)},
		script{name: "length of 2^62, of which nearly nothing comes", send: frames(declares(opBinary, 8, 1<<62)), end: failing(codeTooBig, codeProtocol, codePolicy)},
		script{name: "length of 2^63-1, of which nearly nothing comes", send: frames(declares(opText, 8, math.MaxInt64)), end: failing(codeTooBig, codeProtocol, codePolicy)},
		script{
			name: "length of 2^63-1 in a continuation", end: failing(codeTooBig, codeProtocol, codePolicy),
			send: frames(part(opBinary, "first"), declares(opContinuation, 8, math.MaxInt64)),
		},
		script{name: "a ping that declares 2^62", send: frames(declares(opPing, 8, 1<<62)), end: failing(codeProtocol)},
	)
	for _, short := range []struct{ width, length int }{{2, 3}, {2, 125}, {8, 3}, {8, 126}, {8, 65535}} {
		f := frame{op: opBinary, payload: []byte(pattern(short.length)), width: short.width, declared: uint64(short.length)}
		name := fmt.Sprintf("length %d in %d octets", short.length, short.width)
		cases = append(cases, script{name: name, send: frames(f), end: failing(codeProtocol)}.testCase())
	}
	long := frame{op: opPing, payload: []byte("abc"), width: 2, declared: 3}
	return append(cases, script{name: "a ping with its length in 2 octets", send: frames(long), end: failing(codeProtocol)}.testCase())
}

// masks are frames masked as only the other side may (RFC 6455 section 5.1).
func masks() (cases []testCase) {
	for _, f := range []struct {
		name string
		frame
	}{
		{"text", text("wrong")},
		{"empty text", text("")},
		{"binary", binaryOf("wrong")},
		{"ping", ping("wrong")},
		{"close", closing(codeNormal, "")},
		{"fragment", part(opText, "wrong")},
	} {
		f.wrongMask = true
		name := fmt.Sprintf("a %s with the mask of the other side", f.name)
		cases = append(cases, script{name: name, send: frames(f.frame), end: failing(codeProtocol)}.testCase())
	}
	second := last("wrong")
	second.wrongMask = true
	return append(cases, script{
		name: "a continuation with the mask of the other side", end: failing(codeProtocol), send: frames(part(opText, "right"), second),
	}.testCase())
}

func moreCloses() (cases []testCase) {
	for _, code := range []uint16{1012, 1013, 1014} {
		cases = append(cases, script{
			name: fmt.Sprintf("a close with code %d", code), send: frames(closing(code, "")), end: answering(code),
		}.testCase())
	}
	for _, code := range []uint16{1, 1015, 1999} {
		cases = append(cases, badCode("beyond:", code))
	}
	return append(cases, scripts(
		script{name: "a close, octet by octet", chop: octets, send: frames(closing(4321, "octet by octet")), end: answering(4321)},
		script{name: "a close, then a frame that breaks every rule", send: frames(closing(codeNormal, ""), frame{op: 7, rsv: 7, payload: []byte("x")}), end: answering(codeNormal)},
		script{name: "binary that is not UTF-8, in fragments cut anywhere", send: fragments(opBinary, []byte(highPattern(400)), 7), want: events(gotBinary(highPattern(400))), end: cleanly},
	)...)
}

// pipelined sends frames before the answer to the handshake: they must be read, not lost.
func pipelined(p *peer) error {
	r := newRequest(p.host, p.opts.offers())
	packet := r.encode(p.path)
	for _, f := range frames(text("early"), ping("early"), binaryOf(highPattern(3000))) {
		packet = f.append(packet, true)
	}
	p.write(packet)
	if err := p.switched(r); err != nil {
		return err
	}
	// The pong may overtake the echo of a whole message.
	var got []string
	for range 3 {
		ev, err := p.next()
		if err != nil {
			return describe(err)
		}
		got = append(got, ev.String())
	}
	slices.Sort(got)
	want := []string{gotText("early").String(), gotPong("early").String(), gotBinary(highPattern(3000)).String()}
	if slices.Sort(want); !slices.Equal(got, want) {
		return fmt.Errorf("wanted %q, got %q", want, got)
	}
	return p.closes()
}

// streamEnds has the client end its stream behind its last words: what it said before is answered all
// the same, and so is the end it brought about.
func streamEnds(p *peer, end frame, ended func(codes ...uint16) error, code uint16) error {
	const messages = 20
	var want []event
	for i := range messages {
		p.send(whole, text(fmt.Sprint("message ", i)))
		want = append(want, gotText(fmt.Sprint("message ", i)))
	}
	p.send(whole, end)
	if half, ok := p.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	if err := p.expect(want...); err != nil {
		return err
	}
	return ended(code)
}
