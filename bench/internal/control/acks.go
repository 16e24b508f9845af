package control

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// stallLimit is how long a publisher waits without one acknowledgement before
// it gives the run up: something was lost.
const stallLimit = 20 * time.Second

var errStalled = errors.New("no acknowledgement for 20 s")

// acks holds how many messages have arrived at every connection. The load
// client, which alone knows, writes that count as 8 octets, little endian,
// each time it grows. One client writes, one publisher waits.
type acks struct {
	count atomic.Uint64
	grown chan struct{} // holds at most one token
}

func newAcks() *acks { return &acks{grown: make(chan struct{}, 1)} }

// reset begins a new run.
func (a *acks) reset() {
	a.count.Store(0)
	select {
	case <-a.grown:
	default:
	}
}

// wait blocks until count has reached n.
func (a *acks) wait(ctx context.Context, n uint64) error {
	if a.count.Load() >= n {
		return nil
	}
	stall := time.NewTimer(stallLimit)
	defer stall.Stop()
	for a.count.Load() < n {
		select {
		case <-a.grown:
			stall.Reset(stallLimit)
		case <-stall.C:
			return fmt.Errorf("control: %d of %d messages have arrived everywhere: %w", a.count.Load(), n, errStalled)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// serve takes the connection over and reads counts until it ends.
func (a *acks) serve(w http.ResponseWriter, _ *http.Request) {
	conn, stream, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this connection cannot carry acknowledgements", http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: acks\r\nConnection: Upgrade\r\n\r\n"); err != nil {
		return
	}
	a.read(stream.Reader)
}

func (a *acks) read(r *bufio.Reader) {
	var b [8]byte
	for {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return
		}
		a.count.Store(binary.LittleEndian.Uint64(b[:]))
		select {
		case a.grown <- struct{}{}:
		default:
		}
	}
}
