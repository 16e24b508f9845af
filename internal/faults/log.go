package faults

import (
	"fmt"
	"maps"
	"slices"
)

// Kind is what is wrong.
type Kind string

// The kinds of findings.
const (
	Corrupt   Kind = "corrupt"   // a payload is not as it was sent
	Invented  Kind = "invented"  // a message that nobody sent, or to others
	Duplicate Kind = "duplicate" // a message came again
	Order     Kind = "order"     // a message came behind a later one
	Gap       Kind = "gap"       // a message did not come within a connection's life
	Uncaused  Kind = "uncaused"  // a connection ended, and nobody had caused it
	Misuse    Kind = "misuse"    // the test told the log nonsense
)

// Finding is one thing that must not be.
type Finding struct {
	Kind       Kind
	Subscriber string
	Connection int // of the subscriber, from 1
	Text       string
}

// String returns the finding for people.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s, connection %d: %s", f.Kind, f.Subscriber, f.Connection, f.Text)
}

// mostFindings is how many findings a log keeps: the first say it all.
const mostFindings = 20

// Log is what one subscriber got, checked as it comes; it keeps findings, not
// messages. A log is used by one goroutine at a time.
//
// The life of a connection is from Open to End. Within it the numbers of each
// source follow one another without a gap. They never fall, not between
// connections either, since a connection gets only what was sent after it began.
type Log struct {
	name    string
	ledger  *Ledger
	streams []string

	findings []Finding
	count    int // messages
	number   int // of the present connection
	open     bool
	followed map[string]Marks  // by stream: where its sources stood at Follow
	sources  map[Source]*track // what came
}

// track is what came of one source.
type track struct {
	newest     uint64              // of all connections
	connection int                 // in which it came
	holes      map[uint64]struct{} // numbers that were skipped in this connection
}

// NewLog returns the log of a subscriber to some streams.
func NewLog(name string, ledger *Ledger, streams ...string) *Log {
	return &Log{name: name, ledger: ledger, streams: streams, sources: map[Source]*track{}}
}

// Open begins a connection's life.
func (l *Log) Open() {
	if l.open {
		l.find(Misuse, "it is opened twice")
	}
	l.number++
	l.open = true
	l.followed = map[string]Marks{}
}

// Follow notes that the subscriber has just seen the reply after which
// everything that is sent to a stream reaches it. since says where the sources
// stood then, by Ledger.Marks: what is sent after that must come. What is sent
// between the subscription and the reply may come before.
func (l *Log) Follow(stream string, since Marks) {
	if !l.open {
		l.find(Misuse, "it follows %s outside of a connection", stream)
		return
	}
	l.followed[stream] = maps.Clone(since)
}

// Count returns how many messages were received, whatever they were.
func (l *Log) Count() int { return l.count }

// Newest returns the newest number that has come of a source, 0 for none.
func (l *Log) Newest(s Source) uint64 {
	if t := l.sources[s]; t != nil {
		return t.newest
	}
	return 0
}

// Receive takes the next payload.
func (l *Log) Receive(payload string) {
	l.count++
	stamp, err := ParsePayload(payload)
	switch {
	case err != nil:
		l.find(Corrupt, "%.80q: %v", payload, err)
	case !l.open:
		l.find(Misuse, "%v came outside of a connection", stamp)
	case stamp.Seq > l.ledger.Begun(stamp.Source):
		l.find(Invented, "%v was never sent", stamp)
	case !slices.Contains(l.streams, stamp.Stream):
		l.find(Invented, "%v is for others", stamp)
	default:
		l.place(stamp)
	}
}

// place compares a stamp with those before it.
func (l *Log) place(s Stamp) {
	t := l.track(s.Source)
	if s.Seq <= t.newest {
		if _, skipped := t.holes[s.Seq]; skipped {
			delete(t.holes, s.Seq)
			l.find(Order, "%v came behind %d", s, t.newest)
			return
		}
		l.find(Duplicate, "%v came again, after %d", s, t.newest)
		return
	}
	if first, known := l.expected(t, s.Source); known {
		l.skip(t, s.Source, first, s.Seq)
	}
	t.newest = s.Seq
	t.connection = l.number
}

// expected returns the number that a source's next message has at the most. It
// is not known before the first message of a stream that is not followed yet.
func (l *Log) expected(t *track, s Source) (seq uint64, known bool) {
	if t.connection == l.number {
		return t.newest + 1, true
	}
	since, known := l.followed[s.Stream]
	return max(t.newest, since[s]) + 1, known
}

// skip notes the numbers from first up to, without, end as not come.
func (l *Log) skip(t *track, s Source, first, end uint64) {
	for seq := first; seq < end; seq++ {
		if !l.ledger.certain(Stamp{s, seq}) {
			continue
		}
		if t.holes == nil {
			t.holes = map[uint64]struct{}{}
		}
		t.holes[seq] = struct{}{}
	}
}

func (l *Log) track(s Source) *track {
	t := l.sources[s]
	if t == nil {
		t = &track{}
		l.sources[s] = t
	}
	return t
}

// End ends a connection's life. cause says what ended it; empty: nobody caused
// it. until says how far sources must have come: nil where what was on its way
// may be lost, as with everything but a close that follows what was sent.
func (l *Log) End(cause string, until Marks) {
	if !l.open {
		l.find(Misuse, "it ends before it is opened")
		return
	}
	if cause == "" {
		l.find(Uncaused, "it ended, and no fault was injected")
	}
	for s, seq := range until {
		t := l.track(s)
		if first, known := l.expected(t, s); known {
			l.skip(t, s, first, seq+1)
		}
	}
	for s, t := range l.sources {
		l.report(s, t)
	}
	l.open = false
}

// report makes a finding of what has not come.
func (l *Log) report(s Source, t *track) {
	if len(t.holes) == 0 {
		return
	}
	first := ^uint64(0)
	for seq := range t.holes {
		first = min(first, seq)
	}
	l.find(Gap, "%d messages did not come, the first is %v; the newest that came is %d", len(t.holes), Stamp{s, first}, t.newest)
	t.holes = nil
}

func (l *Log) find(kind Kind, format string, args ...any) {
	if len(l.findings) < mostFindings {
		l.findings = append(l.findings, Finding{kind, l.name, l.number, fmt.Sprintf(format, args...)})
	}
}

// Findings returns what is wrong, in the order in which it was found: none is
// good. Gaps are found by End.
func (l *Log) Findings() []Finding { return slices.Clone(l.findings) }
