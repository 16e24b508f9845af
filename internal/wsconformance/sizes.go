package wsconformance

import (
	"bytes"
	"fmt"
)

// sizes is group 9. Messages are made when their case runs: all at once would be 150 MB.
func sizes() (cases []testCase) {
	const kilo, mega = 1 << 10, 1 << 20
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
			name := fmt.Sprintf("9.%d %s of 4 MB in fragments of %d octets", 3+i, kind, size)
			cases = append(cases, sized(name, op, 4*mega, size, 64*kilo))
		}
		for _, c := range chops {
			name := fmt.Sprintf("9.%d %s of 1 MB, %d octets at a time", 5+i, kind, c)
			cases = append(cases, sized(name, op, mega, mega, chop(c)))
		}
		for _, n := range trips {
			cases = append(cases, roundTrips(fmt.Sprintf("9.%d %s of %d octets, 1000 times", 7+i, kind, n), op, n))
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

func roundTrips(name string, op byte, n int) testCase {
	return opened(name, func(p *peer) error {
		message := payloadOf(op, n)
		for i := range 1000 {
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
