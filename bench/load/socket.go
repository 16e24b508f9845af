//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	// maxConnections leaves room for other descriptors below the usual limit
	// of 20,000 for a process.
	maxConnections = 19_800
	// sources are the loopback addresses that connections come from, so that
	// ports last through many runs.
	sources = 8
	// stalledBuffer and stalledSegment are the receive buffer and the segment
	// size of connections that stop reading. Small ones make the kernel hold
	// little for them at either end, so that the server notices soon.
	stalledBuffer  = 4096
	stalledSegment = 536
)

// sourceOf returns the local address of connection i: 127.0.0.2 and following.
func sourceOf(i int) [4]byte { return [4]byte{127, 0, 0, byte(2 + i%sources)} }

// dial connects from source to target and returns a non-blocking descriptor.
func dial(target netip.AddrPort, source [4]byte, stalls bool) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	if err := prepare(fd, target, source, stalls); err != nil {
		return 0, errors.Join(fmt.Errorf("connect to %v: %w", target, err), unix.Close(fd))
	}
	return fd, nil
}

func prepare(fd int, target netip.AddrPort, source [4]byte, stalls bool) error {
	// The port is chosen at connect, when the kernel knows the whole pair.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	// Closing resets the connection: no port is left waiting for late packets.
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return err
	}
	if stalls {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, stalledBuffer); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, stalledSegment); err != nil {
			return err
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: source}); err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: target.Addr().As4(), Port: int(target.Port())}); err != nil {
		return err
	}
	return unix.SetNonblock(fd, true)
}

// writeWhole writes a few octets to a socket whose buffer is empty.
func writeWhole(fd int, b []byte) error {
	n, err := unix.Write(fd, b)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if n < len(b) {
		return fmt.Errorf("wrote %d of %d octets: the server does not read", n, len(b))
	}
	return nil
}
