package wsconformance

import "bytes"

// mostInflated is what a small message inflates to at the most, above the limit, in octets.
const mostInflated = 64 << 20

// limits are cases for an endpoint whose limit of a message is known.
func limits(o *Options) []testCase {
	n := o.Limit
	octets := bytes.Repeat([]byte("0123456789abcdef"), n/16+2)
	exact, over := octets[:n], octets[:n+1]
	fragmentsOf := func(message []byte) []frame { return fragments(opBinary, message, max(n/3, 1)) }
	want := events(event{op: opBinary, data: exact})
	cases := scripts(
		script{name: "a message of the limit", send: frames(frame{op: opBinary, payload: exact}), want: want, end: cleanly},
		script{name: "fragments of the limit", send: fragmentsOf(exact), want: want, end: cleanly},
		script{name: "a message over the limit", send: frames(frame{op: opBinary, payload: over}), end: failing(codeTooBig)},
		script{name: "fragments over the limit", send: fragmentsOf(over), end: failing(codeTooBig)},
		script{
			name: "the header alone of a message over the limit", end: failing(codeTooBig),
			send: frames(frame{op: opBinary, width: 8, declared: uint64(max(n+1, 1<<16))}),
		},
	)
	inflates := func(name string, size int, run func(*peer) error) testCase {
		return compressed(name, []string{freshOffer}, func(p *peer) error {
			packed, err := p.out.pack(bytes.Repeat([]byte{'0'}, size))
			if err != nil {
				return err
			}
			p.send(whole, packedFrames(opBinary, packed, 0)...)
			return run(p)
		})
	}
	return append(cases,
		inflates("a message that inflates to the limit", n, func(p *peer) error {
			if err := p.expect(event{op: opBinary, data: bytes.Repeat([]byte{'0'}, n)}); err != nil {
				return err
			}
			return p.closes()
		}),
		inflates("a message that inflates to one octet over the limit", n+1, failing(codeTooBig)),
		inflates("a message that inflates far beyond the limit", min(100*n, n+mostInflated), failing(codeTooBig)))
}
