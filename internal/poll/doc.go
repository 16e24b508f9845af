// Package poll is the readiness of one shard's sockets and the system calls on
// them: epoll on Linux. Elsewhere Take accepts nothing, and connections stay
// with the net package.
//
// It owns descriptors' readiness, not the descriptors' life: who took a
// descriptor closes it, once, when no event for it can be acted on any more.
// Wait is called by one goroutine; everything else may be called at any time.
package poll

import "errors"

// Token comes back with each event of the descriptor it was added with.
type Token struct {
	Slot       int32
	Generation int32
}

// Event says what a descriptor is ready for.
type Event struct {
	Token    Token
	Readable bool
	Writable bool
	Hangup   bool // both directions are closed, or the connection failed
}

// ErrAgain says that a descriptor is not ready: wait for its event.
var ErrAgain = errors.New("poll: not ready")

// ErrClosed is the error of Wait after Close.
var ErrClosed = errors.New("poll: closed")
