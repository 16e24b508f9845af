//go:build linux

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"boundary-app.org/realtime/bench/internal/report"
)

// holdTLS opens the connections over TLS and measures the server with all of
// them idle. The client's own cost does not matter here.
func holdTLS(o options, s *server, tokens []string, r *report.Report) (err error) {
	conns := make([]*tls.Conn, 0, len(tokens))
	defer func() {
		for _, conn := range conns {
			err = errors.Join(err, conn.NetConn().Close())
		}
	}()
	r.Connect, err = timed(s, func() error {
		for i, jwt := range tokens {
			conn, err := openTLS(o.public, i, jwt)
			if err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
			conns = append(conns, conn)
		}
		return s.reached(len(tokens), openLimit)
	})
	if err != nil || !o.idle {
		return err
	}
	return s.idle(r.Idle, o.settle)
}

func openTLS(public string, i int, jwt string) (*tls.Conn, error) {
	target, err := netip.ParseAddrPort(public)
	if err != nil {
		return nil, fmt.Errorf("-public: %w", err)
	}
	source := sourceOf(i)
	dialer := &net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: source[:]}, KeepAlive: -1}
	// The server signs its own certificate, on loopback.
	conn, err := tls.DialWithDialer(dialer, "tcp4", public, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	if err := upgradeTLS(conn, target, jwt); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func upgradeTLS(conn *tls.Conn, target netip.AddrPort, jwt string) error {
	if _, err := conn.Write(request(target, jwt)); err != nil {
		return err
	}
	status := make([]byte, len("HTTP/1.1 101 "))
	if _, err := io.ReadFull(conn, status); err != nil {
		return err
	}
	if !strings.HasSuffix(string(status), " 101 ") {
		return fmt.Errorf("upgrade refused: %q", status)
	}
	return nil
}
