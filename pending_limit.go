package realtime

import (
	"errors"
	"sync"
)

// How many unauthenticated clients a service has at a time, and how many of them
// from one address: a single client leaves room for others.
const (
	maxPending          = 2048
	maxPendingOfAddress = maxPending / 4
)

// pendingLimiter counts unauthenticated clients, in all and by address. The zero
// value counts none. Safe for concurrent use.
type pendingLimiter struct {
	mu   sync.Mutex
	all  int            // guarded by mu
	from map[string]int // guarded by mu; without zeros
}

// Errors of add. Clients are told their texts.
var (
	errPendingFull        = errors.New("too many clients have yet to send their token; try again")
	errPendingAddressFull = errors.New("too many clients from this address have yet to send their token; try again")
)

// add counts one more client of an address.
func (l *pendingLimiter) add(address string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.all >= maxPending:
		return errPendingFull
	case l.from[address] >= maxPendingOfAddress:
		return errPendingAddressFull
	case l.from == nil:
		l.from = map[string]int{}
	}
	l.all++
	l.from[address]++
	return nil
}

func (l *pendingLimiter) remove(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[address]--; l.from[address] == 0 {
		delete(l.from, address)
	}
}
