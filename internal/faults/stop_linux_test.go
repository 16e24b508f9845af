package faults_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/faults"
	"boundary-app.org/realtime/internal/socket"
)

// A server that is stopped for longer than the timeout of a pong, while all its
// clients owe one, has not read the pongs that came meanwhile: it loses no client. Nor
// does it lose one that sent within its rate all the time.
func TestStoppedProcess(t *testing.T) {
	clients, interval, timeout, pause := 200, 200*time.Millisecond, 500*time.Millisecond, 700*time.Millisecond
	if *soakDuration > 0 {
		clients, interval, timeout, pause = 2000, 2*time.Second, 10*time.Second, time.Minute
	}
	p := serve(t, fmt.Sprint("REALTIME_PING_INTERVAL=", interval), fmt.Sprint("REALTIME_PONG_TIMEOUT=", timeout),
		"REALTIME_MESSAGE_RATE=100", "REALTIME_MESSAGE_BURST=50")
	var ledger faults.Ledger
	var members []*member
	for i := range clients {
		user := fmt.Sprint("u", i)
		members = append(members, &member{user: user, token: tokenOf(t, user), log: faults.NewLog(user, &ledger)})
	}
	c, err := newCrowd(p.public, members)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	run := func(done func() bool) {
		t.Helper()
		if err := c.run(time.Now().Add(2*time.Minute), done); err != nil {
			t.Fatal(err)
		}
	}
	lasts := func(d time.Duration) func() bool {
		begun := time.Now()
		return func() bool { return time.Since(begun) > d }
	}
	run(func() bool { return c.open == clients })
	busy := hostile{name: "busy", frame: socket.AppendMaskedFrame(nil, socket.OpText, []byte(`{"action":"ping"}`), [4]byte{1, 2, 3, 4})}
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	for i := range 5 {
		sender := p.connect(fmt.Sprint("busy", i))
		sending.Go(func() { busy.attack(ctx, t, sender, time.Second/90) })
	}
	<-time.After(interval + interval/4) // no client reads: all are pinged, and none has answered
	p.signal(syscall.SIGSTOP)
	run(lasts(pause)) // all answer
	p.signal(syscall.SIGCONT)
	run(lasts(timeout + interval))
	cancel()
	sending.Wait()
	if c.ended > 0 {
		t.Errorf("%d of %d clients were lost; the first: %v", c.ended, clients, c.firstWrong())
	}
	for _, code := range []int{4012, 4013} {
		if n := p.metric(fmt.Sprintf("realtime_disconnects_total{code=\"%d\"}", code)); n > 0 {
			t.Errorf("%.0f clients were closed with %d", n, code)
		}
	}
}
