package engine

import "sync"

type connStripe struct {
	mu    sync.Mutex
	conns table[*Conn]
}

func (x *index) connStripe(id ID) *connStripe { return &x.conns[id[len(id)-1]%stripes] }

func (x *index) add(c *Conn) {
	s := x.connStripe(c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns.add(c)
}

func (x *index) remove(c *Conn) {
	s := x.connStripe(c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns.remove(c)
}

func (x *index) find(id ID) *Conn {
	s := x.connStripe(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns.find(id.hash(), func(c *Conn) bool { return c.id == id })
}

// all returns the registered connections, a stripe at a time.
func (x *index) all(yield func(*Conn) bool) {
	var conns []*Conn
	for i := range x.conns {
		s := &x.conns[i]
		conns = conns[:0]
		s.mu.Lock()
		s.conns.all(func(c *Conn) bool {
			conns = append(conns, c)
			return true
		})
		s.mu.Unlock()
		for _, c := range conns {
			if !yield(c) {
				return
			}
		}
	}
}
