package wsconformance

import "fmt"

// fragmentation is group 5.
func fragmentation() []testCase {
	two := frames(part(opText, "first half, "), last("second half"))
	both := gotText("first half, second half")
	pinged := frames(two[0], ping("between"), two[1])
	cases := scripts(
		script{name: "5.1 a fragmented ping", send: frames(part(opPing, "a"), last("b")), end: failing(codeProtocol)},
		script{name: "5.2 a fragmented pong", send: frames(part(opPong, "a"), last("b")), end: failing(codeProtocol)},
	)
	for i, c := range []chop{whole, framed, octets} {
		cases = append(cases,
			script{name: fmt.Sprintf("5.%d two fragments, %v", 3+i, c), chop: c, send: two, want: events(both), end: cleanly}.testCase(),
			script{
				name: fmt.Sprintf("5.%d two fragments and a ping between them, %v", 6+i, c), chop: c,
				send: pinged, want: events(gotPong("between"), both), end: cleanly,
			}.testCase(),
			strayContinuation(9+i, false, c), strayContinuation(12+i, true, c))
	}
	cases = append(cases, strayBetween()...)
	return append(cases, fivePieces()...)
}

// strayContinuation is a continuation frame that has nothing to continue, and good text behind it.
func strayContinuation(number int, more bool, c chop) testCase {
	stray := last("of what?")
	stray.more = more
	return script{
		name: fmt.Sprintf("5.%d a continuation of nothing, FIN %v, %v", number, !more, c), chop: c,
		send: frames(stray, text("too late")), end: failing(codeProtocol),
	}.testCase()
}

func strayBetween() []testCase {
	again := func(f ...frame) []frame { return append(f, f...) }
	return scripts(
		script{
			name: "5.15 a continuation behind a whole message", want: events(maybe(gotText("begin, end"))), end: failing(codeProtocol),
			send: frames(part(opText, "begin, "), last("end"), part(opContinuation, "more?"), text("too late")),
		},
		script{
			name: "5.16 an open continuation before each message, twice", end: failing(codeProtocol),
			send: again(part(opContinuation, "stray"), part(opText, "begin, "), last("end")),
		},
		script{
			name: "5.17 a last continuation before each message, twice", end: failing(codeProtocol),
			send: again(last("stray"), part(opText, "begin, "), last("end")),
		},
		script{
			name: "5.18 a text inside a fragmented one", end: failing(codeProtocol),
			send: frames(part(opText, "begin, "), text("whole")),
		},
	)
}

// fivePieces are the cases that look whether a pong comes at once, not with the message.
func fivePieces() []testCase {
	pieces := frames(part(opText, "1 "), part(opContinuation, "2 "), part(opContinuation, "3 "), part(opContinuation, "4 "), last("5"))
	message := gotText("1 2 3 4 5")
	run := func(c chop) func(*peer) error {
		return func(p *peer) error {
			p.send(c, pieces[0], pieces[1], ping("after two"))
			if err := p.expect(gotPong("after two")); err != nil {
				return err
			}
			p.send(c, pieces[2], pieces[3], ping("after four"), pieces[4])
			if err := p.expect(gotPong("after four"), message); err != nil {
				return fmt.Errorf("after the fourth: %w", err)
			}
			return p.closes()
		}
	}
	return []testCase{
		opened("5.19 five fragments and two pings", run(whole)),
		opened("5.20 five fragments and two pings, octet by octet", run(octets)),
	}
}
