package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/faultproxy"
	"boundary-app.org/realtime/internal/faults"
	"boundary-app.org/realtime/wire"
)

// soaker is a subscriber of the soak: it connects again whenever its connection
// has ended.
type soaker struct {
	soak    *soak
	name    string
	topic   string
	streams []string
	token   string

	// owned by the goroutine that lives
	log  *faults.Log
	seed uint64 // of the next plan

	link  atomic.Pointer[faultproxy.Conn] // nil: not connected
	heard [publishers + 1]atomic.Uint64   // of what each publisher sent to everyone
}

func newSoaker(s *soak, i int) *soaker {
	x := &soaker{
		soak: s, name: fmt.Sprint("soaker-", i), topic: fmt.Sprint("topic-", i%soakTopics),
		seed: *soakSeed + uint64(i)<<32,
	}
	x.streams = []string{realtime.Everyone().String(), realtime.User(x.name).String(), realtime.Topic(x.topic).String()}
	x.token = s.Token(realtime.Identity{UserID: x.name})
	x.log = faults.NewLog(x.name, &s.ledger, x.streams...)
	return x
}

// plan draws what breaks the next connection.
func (x *soaker) plan() faultproxy.Plan {
	x.seed++
	return faultproxy.Draw(x.seed, between)
}

// whole reports whether it is connected, and nothing has been done to that.
func (x *soaker) whole() bool {
	link := x.link.Load()
	return link != nil && link.Fault() == faultproxy.Forward
}

// live connects, and logs until the connection ends or ctx does.
func (x *soaker) live(ctx context.Context, plan faultproxy.Plan) {
	conn, link, err := x.soak.proxy.Dial(ctx, plan)
	if err != nil {
		if ctx.Err() == nil {
			x.soak.t.Error(err)
		}
		return
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	x.soak.lives.Add(1)
	x.log.Open()
	err = x.listen(conn, link)
	x.link.Store(nil)
	x.conclude(ctx, link, err)
	x.soak.tell()
	_ = conn.Close()
	link.Do(faultproxy.Cut) // what is stalled has no end of its own
	<-link.Done()
}

// conclude finds the cause of an end.
func (x *soaker) conclude(ctx context.Context, link *faultproxy.Conn, err error) {
	fault := link.Fault()
	x.soak.injected[fault].Add(1)
	switch {
	case ctx.Err() != nil && fault == faultproxy.Forward:
		var until faults.Marks
		if final := x.soak.final.Load(); final != nil {
			until = *final
		}
		x.log.End("the test", until)
	case ctx.Err() != nil:
		x.log.End("the test", nil)
	case fault == faultproxy.Forward:
		x.log.End("", nil)
		x.soak.t.Errorf("%s, by itself: %v", x.name, err)
	default:
		x.log.End(fault.String(), nil)
		x.checkEnd(fault, err)
	}
}

// checkEnd checks that a client learns of a fault what it may: nothing of the
// network's, and of the server only that it heard no answer.
func (x *soaker) checkEnd(fault faultproxy.Action, err error) {
	var status *refused
	if code := closeCode(err); code != 0 && code != wire.CloseNoPong || errors.As(err, &status) {
		x.soak.t.Errorf("%s, after %v: %v", x.name, fault, err)
	}
}

// listen reads to the end, and says something now and then.
func (x *soaker) listen(conn net.Conn, link *faultproxy.Conn) error {
	c, err := upgrade(conn, x.token)
	if err != nil {
		return err
	}
	everyone, user, topic := x.streams[0], x.streams[1], x.streams[2]
	x.follow(everyone)
	x.follow(user)
	if err := c.subscribe(x.topic); err != nil {
		return err
	}
	for {
		f, err := c.next()
		switch {
		case err != nil:
			return err
		case f.Type == "$reply" && f.Topic != "":
			x.follow(topic)
			x.link.Store(link)
		case f.Type == "stamp":
			if err := x.receive(c, f); err != nil {
				return err
			}
		}
	}
}

func (x *soaker) follow(stream string) {
	marks := x.soak.ledger.Marks(stream)
	x.log.Follow(stream, marks)
	if stream != x.streams[0] {
		return
	}
	for i := range x.heard { // nobody waits for what it missed
		x.heard[i].Store(marks[x.roundsOf(i)])
	}
}

// roundsOf returns the source of what a publisher ends its rounds with.
func (x *soaker) roundsOf(publisher int) faults.Source {
	return faults.Source{Stream: x.streams[0], Publisher: fmt.Sprint("publisher-", publisher)}
}

// receive logs a message, and answers some, so that there is traffic up too.
func (x *soaker) receive(c *client, f frame) error {
	x.log.Receive(f.Payload)
	x.soak.received.Add(1)
	for i := range x.heard {
		if newest := x.log.Newest(x.roundsOf(i)); newest > x.heard[i].Load() {
			x.heard[i].Store(newest)
			x.soak.tell()
		}
	}
	if x.log.Count()%8 == 0 {
		return c.say(`{"action":"ping","ref":1}`)
	}
	return nil
}
