package wsconformance

import (
	"errors"
	"time"
)

// Options say what is run, and what is known of the endpoint.
type Options struct {
	// Groups are the ids of the groups to run. Empty: all.
	Groups []string
	// Compression says that the endpoint speaks permessage-deflate: it is offered in every group,
	// and must be accepted where any endpoint can. Otherwise it may be declined.
	Compression bool
	// Limit is the endpoint's limit of a message, in octets. Zero: the group "limits" is left out.
	Limit int
	// Full sends 1,000 messages in each compression case, as the long list does, and the largest
	// floods. Otherwise a few.
	Full bool
	// Timeout bounds the wait for anything. Zero: 10 s.
	Timeout time.Duration
	// Patience bounds how long the endpoint may take to close TCP once it has failed a connection or
	// ended the closing handshake, and to refuse text that has become invalid. Zero: 1 s.
	Patience time.Duration
}

func (o *Options) patience() time.Duration {
	if o.Patience > 0 {
		return o.Patience
	}
	return time.Second
}

func (o *Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return 10 * time.Second
}

// offers are the extensions that cases offer if nothing else is their subject.
func (o *Options) offers() []string {
	if o.Compression {
		return []string{freshOffer}
	}
	return nil
}

// role is the side that is under test.
type role int

const (
	server role = iota
	client
)

// group is the cases of one subject.
type group struct {
	id, title string
	cases     []testCase
	// parallel is how many cases run at once. Zero: eight.
	parallel int
}

// testCase is one case. run gets a connection on which nothing was said yet. It returns nil, an
// error, or errDeclined.
type testCase struct {
	name string
	run  func(*peer) error
}

// errDeclined says that the endpoint properly declined what the case is about.
var errDeclined = errors.New("declined")

// opened is a case that begins after the opening handshake.
func opened(name string, run func(*peer) error) testCase {
	return testCase{name, func(p *peer) error {
		if err := p.open(p.opts.offers()); err != nil {
			return err
		}
		return run(p)
	}}
}

// compressed is a case on a connection that negotiated permessage-deflate.
func compressed(name string, offers []string, run func(*peer) error) testCase {
	return testCase{name, func(p *peer) error {
		if err := p.open(offers); err != nil {
			return err
		}
		if p.agreed == nil && p.opts.Compression && !mayDecline(offers) {
			return errors.New("it declined permessage-deflate")
		}
		if p.agreed == nil {
			return p.declined()
		}
		return run(p)
	}}
}

// mayDecline reports whether every offer has a demand that not every endpoint can meet.
func mayDecline(offers []string) bool {
	for _, entry := range splitList(offers) {
		if terms, err := parseTerms(entry); err == nil && terms.bits(serverBits) == maxWindow {
			return false
		}
	}
	return true
}

// declined checks that a connection without the extension works.
func (p *peer) declined() error {
	p.send(whole, text("without compression"))
	if err := p.expect(event{op: opText, data: []byte("without compression")}); err != nil {
		return err
	}
	if err := p.closes(); err != nil {
		return err
	}
	return errDeclined
}

// script is a case in which all is sent before anything is read.
type script struct {
	name string
	chop chop
	send []frame
	want []event
	end  func(*peer) error
}

func (s script) testCase() testCase {
	return opened(s.name, func(p *peer) error {
		p.send(s.chop, s.send...)
		if err := p.expect(s.want...); err != nil {
			return err
		}
		return s.end(p)
	})
}

func scripts(all ...script) (cases []testCase) {
	for _, s := range all {
		cases = append(cases, s.testCase())
	}
	return cases
}

// The ends of scripts.

func cleanly(p *peer) error { return p.closes() }

func failing(codes ...uint16) func(*peer) error {
	return func(p *peer) error { return p.fails(codes...) }
}

func answering(codes ...uint16) func(*peer) error {
	return func(p *peer) error { return p.answersClose(codes...) }
}

func frames(f ...frame) []frame { return f }

func events(e ...event) []event { return e }

// gotText and the like are what must come back.
func gotText(s string) event   { return event{op: opText, data: []byte(s)} }
func gotBinary(s string) event { return event{op: opBinary, data: []byte(s)} }
func gotPong(s string) event   { return event{op: opPong, data: []byte(s)} }

// maybe is an echo that an endpoint should send before it fails the connection for what came
// right behind the message.
func maybe(e event) event {
	e.optional = true
	return e
}
