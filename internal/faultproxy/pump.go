package faultproxy

import (
	"errors"
	"io"
	"net"
	"time"
)

// bufferSize is how many octets the proxy itself holds of a way that is stalled.
const bufferSize = 16 << 10

// pump copies one way until its stream ends.
func (c *Conn) pump(w Way, from, to *net.TCPConn) {
	if c.strike(w, 0) {
		return // After is 0
	}
	buf := make([]byte, bufferSize)
	deaf := false // the receiver has gone; that it has comes back the other way
	for {
		n, err := from.Read(buf)
		if !deaf {
			over, failed := c.pass(w, to, buf[:n])
			if over {
				return
			}
			deaf = failed
		}
		if err != nil {
			c.end(w, to, err)
			return
		}
	}
}

// pass hands what was read on, as the way's faults want it. Over: the
// connection has ended. Failed: the receiver takes no more.
func (c *Conn) pass(w Way, to io.Writer, data []byte) (over, failed bool) {
	for len(data) > 0 {
		if !c.pause(c.delay(w)) {
			return true, false
		}
		n, action := c.next(w, len(data))
		if action == Cut {
			return true, false
		}
		if action == Forward {
			if _, err := to.Write(data[:n]); err != nil {
				return false, true
			}
		}
		data = data[n:]
		if action == Forward && c.strike(w, n) {
			return true, false
		}
	}
	return false, false
}

func (c *Conn) delay(w Way) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ways[w].faults.Delay
}

// pause waits, and returns false when the connection is over before.
func (c *Conn) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.over:
		return false
	}
}

// next waits while the way is stalled. It returns what is to be done with how
// many of n octets: Forward, Swallow, or Cut when the connection is over.
func (c *Conn) next(w Way, n int) (int, Action) {
	for {
		state, changed := c.look(w)
		switch state.action {
		case Swallow:
			return n, Swallow
		case Forward:
			return state.limit(n), Forward
		}
		select {
		case <-changed:
		case <-c.over:
			return 0, Cut
		}
	}
}

func (c *Conn) look(w Way) (wayState, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ways[w], c.changed
}

// limit returns how many of n octets may go on in one piece.
func (s wayState) limit(n int) int {
	if s.faults.Piece > 0 {
		n = min(n, s.faults.Piece)
	}
	if s.faults.Then != Forward {
		n = int(min(int64(n), s.faults.After-s.passed))
	}
	return n
}

// strike counts n octets and does what is due after that many. It returns true
// when the connection is over by that.
func (c *Conn) strike(w Way, n int) (over bool) {
	c.mu.Lock()
	s := &c.ways[w]
	s.passed += int64(n)
	due := Forward
	if s.faults.Then != Forward && s.passed >= s.faults.After {
		due, s.faults.Then = s.faults.Then, Forward // once
	}
	c.mu.Unlock()
	if due != Forward {
		c.Do(due, w)
	}
	return due == Cut || due == Reset
}

// end passes the end of a stream on, once the way is open: an end as an end, a
// failure as a reset. When both streams have ended there is nobody to tell.
func (c *Conn) end(w Way, to *net.TCPConn, err error) {
	ended := errors.Is(err, io.EOF)
	if c.bothEnded(w) {
		c.close(!ended)
		return
	}
	for {
		state, changed := c.look(w)
		if state.action == Forward {
			break
		}
		select {
		case <-changed:
		case <-c.over:
			return
		}
	}
	if ended {
		_ = to.CloseWrite()
		return
	}
	c.close(true)
}

func (c *Conn) bothEnded(w Way) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ways[w].ended = true
	return c.ways[Up].ended && c.ways[Down].ended
}
