package wsconformance

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// Sizes of floods.
const (
	smallFlood = 50_000
	fullFlood  = 1_000_000
)

// floods are very many very small frames. An endpoint may refuse them by policy; it must not fall.
func floods(o *Options) []testCase {
	n := smallFlood
	if o.Full {
		n = fullFlood
	}
	return []testCase{
		opened(fmt.Sprintf("a message of %d empty fragments", n), func(p *peer) error { return emptyFragments(p, n) }),
		opened(fmt.Sprintf("%d pings", n), func(p *peer) error { return pingFlood(p, n) }),
	}
}

// writeMany writes n frames, many in one write.
func (p *peer) writeMany(n int, make func(i int) frame) {
	var buf []byte
	for i := range n {
		buf = make(i).append(buf, p.isClient)
		if len(buf) > 32<<10 || i == n-1 {
			p.write(buf)
			buf = buf[:0]
		}
	}
}

func emptyFragments(p *peer, n int) error {
	p.send(whole, part(opText, "begin"))
	p.writeMany(n, func(int) frame { return part(opContinuation, "") })
	p.send(whole, last(", end"))
	return p.survives(gotText("begin, end"))
}

// survives accepts the answer to a flood, or its refusal.
func (p *peer) survives(want event) error {
	got, err := p.next()
	if err != nil {
		return fmt.Errorf("wanted %v or a refusal: %w", want, describe(err))
	}
	p.pushed = &got
	if got.op == opClose {
		return p.fails(codePolicy, codeTooBig)
	}
	if err := p.expect(want); err != nil {
		return err
	}
	return p.closes()
}

// pingFlood sends pings while it reads the pongs. An endpoint may skip pings that a later one
// overtook (RFC 6455 section 5.5.3), but must answer the last, and in order.
func pingFlood(p *peer, n int) error {
	body := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	var sender sync.WaitGroup
	sender.Go(func() { p.writeMany(n, func(i int) frame { return frame{op: opPing, payload: body(i)} }) })
	err := func() error {
		for at := 0; at < n; {
			got, err := p.next()
			if err != nil {
				return fmt.Errorf("after pong %d: %w", at, describe(err))
			}
			if got.op == opClose {
				p.pushed = &got
				return p.fails(codePolicy)
			}
			if got.op != opPong || len(got.data) != 4 || int(binary.BigEndian.Uint32(got.data)) < at {
				return fmt.Errorf("after pong %d got %v", at, got)
			}
			at = int(binary.BigEndian.Uint32(got.data)) + 1
		}
		return nil
	}()
	if err != nil {
		_ = p.conn.Close()
	}
	sender.Wait()
	if err != nil {
		return err
	}
	return p.closes()
}
