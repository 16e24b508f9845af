//go:build !linux

package poll

import (
	"errors"
	"net"
	"time"
)

// Poller is never made here: Take accepts no connection.
type Poller struct{}

var errUnsupported = errors.New("poll: not supported on this system")

// New fails with an error.
func New(int) (*Poller, error) { return nil, errUnsupported }

// Wait fails with an error.
func (*Poller) Wait(dst []Event) ([]Event, error) { return dst, errUnsupported }

// Add fails with an error.
func (*Poller) Add(int, Token) error { return errUnsupported }

// Modify fails with an error.
func (*Poller) Modify(int, Token, bool, bool) error { return errUnsupported }

// Remove fails with an error.
func (*Poller) Remove(int) error { return errUnsupported }

// Close does nothing.
func (*Poller) Close() error { return nil }

// Takes reports that no connection can be taken.
func Takes(net.Conn) bool { return false }

// Take leaves every connection with the net package.
func Take(net.Conn) (fd int, ok bool) { return -1, false }

// Descriptor returns -1.
func Descriptor(net.Conn) int { return -1 }

// Read fails with an error.
func Read(int, []byte) (int, error) { return 0, errUnsupported }

// Write fails with an error.
func Write(int, []byte) (int, error) { return 0, errUnsupported }

// Writev fails with an error.
func Writev(int, [][]byte) (int, error) { return 0, errUnsupported }

// Acknowledged returns nothing.
func Acknowledged(int) (octets, pending uint64) { return 0, 0 }

// CloseWrite fails with an error.
func CloseWrite(int) error { return errUnsupported }

// Abandon does nothing.
func Abandon(int, time.Duration) {}

// AbandonConn does nothing.
func AbandonConn(net.Conn, time.Duration) {}

// Close fails with an error.
func Close(int) error { return errUnsupported }
