package edge

import (
	"sync"
	"time"
)

// unread limits the time until the client takes written bytes. The WriteTimeout of net/http
// does not: it starts again with each request, so that a client that reads nothing can keep
// its connection with many small requests, and it ends when the socket has an answer, which
// the client need not take.
//
// A timer runs while the client has not taken everything. It checks after each half of
// AnswerTime: bytes that waited at one check must be gone at the next one.
type unread struct {
	conn  *conn         // static
	every time.Duration // static; between two checks

	mu      sync.Mutex
	written int64       // bytes given to Write
	passed  int64       // bytes that Write has passed to the socket
	due     int64       // bytes that the client must have taken at the next check
	next    time.Time   // time of the next check
	timer   *time.Timer // nil: the client has taken everything, or the watch has ended
	closing bool        // the connection is closed when the client has taken everything, or
	until   time.Time   // at this time
	pause   time.Duration
}

// add notes that n bytes will be written.
func (u *unread) add(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.written += int64(n)
	if u.timer == nil {
		u.due = u.written - int64(n)
		u.next = time.Now().Add(u.every)
		u.timer = time.AfterFunc(u.every, u.look)
	}
}

// wrote notes that n bytes were written. After an error no more are written.
func (u *unread) wrote(n int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.passed += int64(n)
	if err != nil {
		u.written = u.passed
	}
}

// look is the function of the timer.
func (u *unread) look() {
	switch u.judge(time.Now()) {
	case closeIt:
		_ = u.conn.Conn.Close()
	case resetIt:
		u.conn.resetUnread()
	}
}

// verdict is the result of a check.
type verdict int

const (
	keepIt verdict = iota
	closeIt
	resetIt
)

func (u *unread) judge(now time.Time) verdict {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.timer == nil {
		return keepIt // the timer fired while it was stopped
	}
	taken := u.passed - int64(queued(u.conn.Conn))
	result := keepIt
	switch {
	case taken == u.written && u.closing:
		result = closeIt
	case taken == u.written:
	case u.closing && !now.Before(u.until), !u.closing && taken < u.due:
		result = resetIt
	default:
		u.again(now)
		return keepIt
	}
	u.timer = nil
	return result
}

// again sets the timer for the next check. A connection that is closing is checked more
// often.
func (u *unread) again(now time.Time) {
	if u.closing {
		u.pause *= 2
		u.timer.Reset(min(u.pause, u.until.Sub(now)))
		return
	}
	u.due = u.written
	u.next = now.Add(u.every)
	u.timer.Reset(u.every)
}

// firstPause is the time from the close of a connection until the first check.
const firstPause = 5 * time.Millisecond

// close closes the connection, now or when the client has taken everything.
func (u *unread) close() error {
	switch u.judgeClose(time.Now()) {
	case closeIt:
		return u.conn.Conn.Close()
	case resetIt:
		u.conn.reset()
		return nil
	}
	return u.conn.CloseWrite()
}

func (u *unread) judgeClose(now time.Time) verdict {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.closing:
		return keepIt
	case u.timer == nil:
		return closeIt
	case u.passed < u.written: // while another goroutine is in Write
		u.stopLocked()
		return resetIt
	case queued(u.conn.Conn) == 0:
		u.stopLocked()
		return closeIt
	}
	u.closing, u.pause = true, firstPause
	u.until = u.next
	if u.due < u.written {
		u.until = u.next.Add(u.every)
	}
	u.timer.Reset(u.pause)
	return keepIt
}

// stop ends the watch.
func (u *unread) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stopLocked()
}

func (u *unread) stopLocked() {
	if u.timer != nil {
		u.timer.Stop()
		u.timer = nil
	}
}
