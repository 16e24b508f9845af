package faults_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"boundary-app.org/realtime/internal/faults"
)

var (
	topic  = faults.Source{Stream: "topic t", Publisher: "p1"}
	second = faults.Source{Stream: "topic t", Publisher: "p2"}
	other  = faults.Source{Stream: "topic other", Publisher: "p1"}
)

// sent returns a ledger with so many messages from each source.
func sent(n uint64, from ...faults.Source) *faults.Ledger {
	l := &faults.Ledger{}
	for _, s := range from {
		for range n {
			l.Next(s)
		}
	}
	return l
}

// receive gives a log the numbers of a source.
func receive(l *faults.Log, from faults.Source, numbers ...uint64) {
	for _, n := range numbers {
		l.Receive(faults.Stamp{Source: from, Seq: n}.Payload(40))
	}
}

// open begins a connection whose first reply covers the stream.
func open(l *faults.Log, since faults.Marks) {
	l.Open()
	l.Follow(topic.Stream, since)
}

func upTo(n uint64) faults.Marks { return faults.Marks{topic: n} }

func wantsFindings(t *testing.T, l *faults.Log, want ...faults.Kind) {
	t.Helper()
	var got []faults.Kind
	for _, f := range l.Findings() {
		got = append(got, f.Kind)
	}
	if !slices.Equal(got, want) {
		t.Errorf("findings: %v, want %v", l.Findings(), want)
	}
}

// permitted is what may happen.
var permitted = map[string]func(*faults.Log){
	"all came": func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1, 2, 3)
		l.End("client", upTo(3))
	},
	"two publishers between each other": func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1)
		receive(l, second, 1, 2)
		receive(l, topic, 2)
		receive(l, second, 3)
		l.End("client", faults.Marks{topic: 2, second: 3})
	},
	"some came before the reply was seen": func(l *faults.Log) {
		open(l, upTo(5))
		receive(l, topic, 4, 5, 6)
		l.End("client", upTo(6))
	},
	"lost between connections": func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1, 2)
		l.End("cut", nil)
		open(l, upTo(6))
		receive(l, topic, 7, 8)
		l.End("client", upTo(8))
	},
	"lost on its way when it was cut": func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1, 2)
		l.End("cut", nil)
	},
	"some came before the reply, some after": func(l *faults.Log) {
		l.Open()
		receive(l, topic, 4, 5)
		l.Follow(topic.Stream, upTo(6))
		receive(l, topic, 6, 7)
		l.End("client", upTo(7))
	},
	"it ends before the reply": func(l *faults.Log) {
		l.Open()
		l.End("cut", nil)
	},
	"nothing came, nothing was sent": func(l *faults.Log) {
		open(l, upTo(9))
		l.End("client", upTo(9))
	},
}

// forbidden is what must not, and what the oracle calls it.
var forbidden = map[string]struct {
	happens func(*faults.Log)
	want    faults.Kind
}{
	"a duplicate": {func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1, 2, 2, 3)
		l.End("client", upTo(3))
	}, faults.Duplicate},
	"a duplicate in the next connection": {func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1, 2)
		l.End("cut", nil)
		open(l, upTo(2))
		receive(l, topic, 2, 3)
		l.End("client", upTo(3))
	}, faults.Duplicate},
	"a swap": {func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1, 3, 2, 4)
		l.End("client", upTo(4))
	}, faults.Order},
	"a gap": {func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1, 2, 5)
		l.End("cut", nil)
	}, faults.Gap},
	"a gap at the beginning": {func(l *faults.Log) {
		open(l, upTo(3))
		receive(l, topic, 5)
		l.End("cut", nil)
	}, faults.Gap},
	"a gap at the beginning of the next connection": {func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1, 2)
		l.End("cut", nil)
		open(l, upTo(4))
		receive(l, topic, 6)
		l.End("cut", nil)
	}, faults.Gap},
	"a gap before a close that follows everything": {func(l *faults.Log) {
		open(l, nil)
		receive(l, topic, 1, 2)
		l.End("drain", upTo(3))
	}, faults.Gap},
	"a gap between what came before the reply and after": {func(l *faults.Log) {
		l.Open()
		receive(l, topic, 4)
		l.Follow(topic.Stream, upTo(6))
		receive(l, topic, 7)
		l.End("cut", nil)
	}, faults.Gap},
	"a source of which nothing came": {func(l *faults.Log) {
		open(l, nil)
		l.End("drain", upTo(1))
	}, faults.Gap},
	"a corrupt payload": {func(l *faults.Log) {
		open(l, nil)
		l.Receive(strings.Replace(faults.Stamp{Source: topic, Seq: 1}.Payload(40), "1", "2", 1))
		l.End("client", nil)
	}, faults.Corrupt},
	"a message for others": {func(l *faults.Log) {
		open(l, nil)
		receive(l, other, 1)
		l.End("client", nil)
	}, faults.Invented},
	"a message that nobody sent": {func(l *faults.Log) {
		open(l, upTo(9))
		receive(l, topic, 11)
		l.End("client", nil)
	}, faults.Invented},
	"an end without a cause": {func(l *faults.Log) {
		open(l, nil)
		l.End("", nil)
	}, faults.Uncaused},
	"a message after the end": {func(l *faults.Log) {
		open(l, nil)
		l.End("cut", nil)
		receive(l, topic, 1)
	}, faults.Misuse},
}

// The oracle finds each thing that must not be, and nothing in what may be.
func TestOracle(t *testing.T) {
	t.Parallel()
	for name, happens := range permitted {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := faults.NewLog("s1", sent(10, topic, second, other), topic.Stream)
			happens(l)
			wantsFindings(t, l)
		})
	}
	for name, test := range forbidden {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := faults.NewLog("s1", sent(10, topic, second, other), topic.Stream)
			test.happens(l)
			wantsFindings(t, l, test.want)
		})
	}
}

// What its sender knows nothing of may come once or not at all, and breaks
// nothing either way.
func TestUnknownMessages(t *testing.T) {
	t.Parallel()
	ledger := sent(4, topic)
	ledger.Unknown(faults.Stamp{Source: topic, Seq: 2})
	ledger.Unknown(faults.Stamp{Source: topic, Seq: 4})
	for _, numbers := range [][]uint64{{1, 3}, {1, 2, 3}, {1, 2, 3, 4}} {
		l := faults.NewLog("s1", ledger, topic.Stream)
		open(l, nil)
		receive(l, topic, numbers...)
		l.End("client", upTo(4))
		wantsFindings(t, l)
	}
	l := faults.NewLog("s1", ledger, topic.Stream)
	open(l, nil)
	receive(l, topic, 1, 2, 2, 4)
	l.End("client", upTo(4))
	wantsFindings(t, l, faults.Duplicate, faults.Gap)
}

// One change anywhere in a long log is found, wherever it is.
func TestOracleFindsAnyChange(t *testing.T) {
	t.Parallel()
	const messages = 200
	r := rand.New(rand.NewPCG(7, 7))
	changes := map[faults.Kind]func([]uint64, int) []uint64{
		faults.Duplicate: func(log []uint64, at int) []uint64 { return slices.Insert(log, at+1+r.IntN(messages-at), log[at]) },
		faults.Order:     func(log []uint64, at int) []uint64 { log[at], log[at+1] = log[at+1], log[at]; return log },
		faults.Gap:       func(log []uint64, at int) []uint64 { return slices.Delete(log, at, at+1) },
	}
	for kind, change := range changes {
		for range 500 {
			log := make([]uint64, messages)
			for i := range log {
				log[i] = uint64(i) + 1
			}
			log = change(log, r.IntN(messages-1))
			l := faults.NewLog("s1", sent(messages, topic), topic.Stream)
			open(l, nil)
			receive(l, topic, log...)
			l.End("client", upTo(messages))
			wantsFindings(t, l, kind)
		}
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	l := sent(3, topic, second, other)
	l.Next(topic)
	marks := l.Marks(topic.Stream)
	if len(marks) != 2 || marks[topic] != 4 || marks[second] != 3 {
		t.Errorf("marks = %v", marks)
	}
	if got := l.Begun(faults.Source{}); got != 0 {
		t.Errorf("a source that is not there has sent %d", got)
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 40, 41, 5000} {
		stamp := faults.Stamp{Source: topic, Seq: 12345}
		payload := stamp.Payload(size)
		if got, err := faults.ParsePayload(payload); err != nil || got != stamp || len(payload) < size || size > 40 && len(payload) != size {
			t.Errorf("%d: %v (%v) of %d octets", size, got, err, len(payload))
		}
	}
}

// Whatever octet is changed, lost or too much: it is found.
func TestPayloadShowsDamage(t *testing.T) {
	t.Parallel()
	payload := faults.Stamp{Source: topic, Seq: 1}.Payload(100)
	for i := range payload {
		for _, damaged := range []string{
			payload[:i] + payload[i+1:],
			payload[:i] + string(payload[i]^1) + payload[i+1:],
			payload[:i] + "a" + payload[i:],
			payload[:i],
		} {
			if _, err := faults.ParsePayload(damaged); damaged != payload && !errors.Is(err, faults.ErrCorrupt) {
				t.Errorf("%q is taken for whole", damaged)
			}
		}
	}
}

func FuzzParsePayload(f *testing.F) {
	f.Add(faults.Stamp{Source: topic, Seq: 1}.Payload(50))
	f.Add("||1||")
	f.Fuzz(func(t *testing.T, payload string) {
		stamp, err := faults.ParsePayload(payload)
		if err != nil && !errors.Is(err, faults.ErrCorrupt) {
			t.Errorf("%q: %v", payload, err)
		}
		if err == nil && stamp.Seq == 0 {
			t.Errorf("%q has number 0", payload)
		}
	})
}
