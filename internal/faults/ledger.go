package faults

import (
	"slices"
	"sync"
)

// Ledger is what publishers sent. The zero value is empty. Safe for concurrent
// use, one goroutine a source.
type Ledger struct {
	mu   sync.Mutex
	sent map[Source]*account // guarded by mu
}

// account is one source's.
type account struct {
	begun   uint64 // the newest number that was given out
	unknown map[uint64]struct{}
}

// Next gives a message its stamp, before it is sent.
func (l *Ledger) Next(from Source) Stamp {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(from)
	a.begun++
	return Stamp{from, a.begun}
}

// Unknown notes that the sender was not told whether a message was sent: it may
// arrive once or not at all.
func (l *Ledger) Unknown(s Stamp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(s.Source)
	if a.unknown == nil {
		a.unknown = map[uint64]struct{}{}
	}
	a.unknown[s.Seq] = struct{}{}
}

// account returns a source's account. Called under l.mu.
func (l *Ledger) account(s Source) *account {
	a := l.sent[s]
	if a == nil {
		if l.sent == nil {
			l.sent = map[Source]*account{}
		}
		a = &account{}
		l.sent[s] = a
	}
	return a
}

// Begun returns the newest number that a source has given out, 0 for none.
func (l *Ledger) Begun(s Source) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.sent[s]; a != nil {
		return a.begun
	}
	return 0
}

// certain reports whether a number is of a message that was sent for certain.
func (l *Ledger) certain(s Stamp) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.sent[s.Source]
	if a == nil || s.Seq > a.begun {
		return false
	}
	_, unknown := a.unknown[s.Seq]
	return !unknown
}

// Marks returns the newest number of every source of some streams: where each
// of them stands just now.
func (l *Ledger) Marks(streams ...string) Marks {
	l.mu.Lock()
	defer l.mu.Unlock()
	marks := Marks{}
	for s, a := range l.sent {
		if slices.Contains(streams, s.Stream) {
			marks[s] = a.begun
		}
	}
	return marks
}

// Marks says, for sources, how far each had come. A source without a mark had
// sent nothing.
type Marks map[Source]uint64
