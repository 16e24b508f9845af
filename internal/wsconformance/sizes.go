package wsconformance

import (
	"bytes"
	"fmt"
)

// sizes is group 9. Messages are made when their case runs: all at once would be 150 MB. Without the
// full counts there are fewer round trips, and the messages in pieces are shorter.
func sizes(o *Options) (cases []testCase) {
	const kilo, mega = 1 << 10, 1 << 20
	fragmented, chopped, count := mega, 256*kilo, 100
	if o.Full {
		fragmented, chopped, count = 4*mega, mega, 1000
	}
	large := []int{64 * kilo, 256 * kilo, mega, 4 * mega, 8 * mega, 16 * mega}
	pieces := []int{64, 256, kilo, 4 * kilo, 16 * kilo, 64 * kilo, 256 * kilo, mega, 4 * mega}
	chops := []int{64, 128, 256, 512, 1024, 2048}
	trips := []int{0, 16, 64, 256, 1024, 4096}
	for i, op := range []byte{opText, opBinary} {
		kind := []string{"text", "binary"}[i]
		for _, n := range large {
			cases = append(cases, sized(fmt.Sprintf("9.%d %s of %d octets", 1+i, kind, n), op, n, n, whole))
		}
		for _, size := range pieces {
			name := fmt.Sprintf("9.%d %s of %d octets in fragments of %d", 3+i, kind, fragmented, size)
			cases = append(cases, sized(name, op, fragmented, size, 64*kilo))
		}
		for _, c := range chops {
			name := fmt.Sprintf("9.%d %s of %d octets, %d at a time", 5+i, kind, chopped, c)
			cases = append(cases, sized(name, op, chopped, chopped, chop(c)))
		}
		for _, n := range trips {
			cases = append(cases, roundTrips(fmt.Sprintf("9.%d %s of %d octets, %d times", 7+i, kind, n, count), op, n, count))
		}
	}
	return cases
}

func payloadOf(op byte, n int) []byte {
	if op == opText {
		return []byte(pattern(n))
	}
	return []byte(highPattern(n))
}

func sized(name string, op byte, n, fragment int, c chop) testCase {
	return opened(name, func(p *peer) error {
		message := payloadOf(op, n)
		p.send(c, fragments(op, message, fragment)...)
		if err := p.expect(event{op: op, data: message}); err != nil {
			return err
		}
		return p.closes()
	})
}

func roundTrips(name string, op byte, n, count int) testCase {
	return opened(name, func(p *peer) error {
		message := payloadOf(op, n)
		for i := range count {
			p.send(whole, frame{op: op, payload: message})
			got, err := p.next()
			if err != nil {
				return fmt.Errorf("round trip %d: %w", i, describe(err))
			}
			if got.op != op || !bytes.Equal(got.data, message) {
				return fmt.Errorf("round trip %d: got %v", i, got)
			}
		}
		return p.closes()
	})
}
