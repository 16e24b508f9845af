package realtime

import "sync"

// How many clients that have yet to say who they are a service has at a time, and
// how many of them from one source: a single client leaves places to others.
const (
	maxStrangers         = 2048
	maxStrangersOfSource = maxStrangers / 4
)

// strangers counts clients that have yet to say who they are, in all and by source.
// The zero value is none. Safe for concurrent use.
type strangers struct {
	mu   sync.Mutex
	all  int            // guarded by mu
	from map[string]int // guarded by mu; without zeros
}

// add counts one more, or says why there is no place for it.
func (s *strangers) add(source string) (full string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.all >= maxStrangers:
		return "too many clients have yet to send their token; try again"
	case s.from[source] >= maxStrangersOfSource:
		return "too many clients from this address have yet to send their token; try again"
	case s.from == nil:
		s.from = map[string]int{}
	}
	s.all++
	s.from[source]++
	return ""
}

func (s *strangers) remove(source string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.from[source]--; s.from[source] == 0 {
		delete(s.from, source)
	}
}
