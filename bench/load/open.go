//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"boundary-app.org/realtime/bench/internal/token"
)

const (
	// handshakesInFlight is how many connections open at a time.
	handshakesInFlight = 128
	openLimit          = 2 * time.Minute
	maxAnswer          = 8 << 10
)

// open opens one connection per token; the last few stop reading once open.
func (c *client) open(public string, tokens []string, stalledOnes int) error {
	target, err := netip.ParseAddrPort(public)
	if err != nil {
		return fmt.Errorf("-public: %w", err)
	}
	c.conns = make([]conn, len(tokens))
	deadline := time.Now().Add(openLimit)
	for started := 0; c.opened < len(tokens); {
		for ; started < len(tokens) && started-c.opened < handshakesInFlight; started++ {
			stalls := started >= len(tokens)-stalledOnes
			if err := c.begin(started, target, tokens[started], stalls); err != nil {
				return fmt.Errorf("connection %d: %w", started, err)
			}
		}
		if _, _, err := c.turn(time.Second); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d connections open after %v", c.opened, len(tokens), openLimit)
		}
	}
	return c.stall(stalledOnes)
}

func (c *client) begin(i int, target netip.AddrPort, jwt string, stalls bool) error {
	fd, err := dial(target, sourceOf(i), stalls)
	if err != nil {
		return err
	}
	c.conns[i] = conn{fd: fd, next: none}
	if err := writeWhole(fd, request(target, jwt)); err != nil {
		return err
	}
	return c.watch(unix.EPOLL_CTL_ADD, fd, i, unix.EPOLLIN)
}

func request(target netip.AddrPort, jwt string) []byte {
	return fmt.Appendf(nil, "GET /ws?%s=%s HTTP/1.1\r\nHost: %v\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", token.Param, jwt, target)
}

// handshake reads the answer to the upgrade and returns what follows it.
func (c *client) handshake(i int, b []byte) (rest []byte, err error) {
	head, rest, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole && len(b) < maxAnswer {
		return b, nil
	}
	status, _, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 101 ")) {
		return nil, fmt.Errorf("upgrade refused: %.200q", status)
	}
	c.conns[i].state = open
	c.opened++
	if c.hello != nil {
		return rest, writeWhole(c.conns[i].fd, c.hello)
	}
	return rest, nil
}

// stall has the last n connections read no more. All that epoll reports of them
// from now on is that they have broken.
func (c *client) stall(n int) error {
	for i := len(c.conns) - n; i < len(c.conns); i++ {
		c.conns[i].state = stalled
		if err := c.watch(unix.EPOLL_CTL_MOD, c.conns[i].fd, i, 0); err != nil {
			return err
		}
	}
	return nil
}
