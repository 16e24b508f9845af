package socket

import (
	"fmt"

	"boundary-app.org/realtime/wire"
)

// Opcode is the kind of a frame, RFC 6455 section 5.2.
type Opcode byte

// The opcodes that RFC 6455 defines. All others are protocol errors.
const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

// control reports whether frames of this kind may come between the fragments of a message.
func (op Opcode) control() bool { return op&0x8 != 0 }

func (op Opcode) known() bool { return op <= OpBinary || op >= OpClose && op <= OpPong }

// Close codes of RFC 6455 section 7.4.1 that this package reads or writes by itself.
const (
	CloseNormal             = uint16(wire.CloseNormal)
	CloseGoingAway          = uint16(wire.CloseGoingAway)
	CloseProtocol           = uint16(wire.CloseProtocolError)
	CloseUnsupported        = uint16(wire.CloseUnsupportedData)
	CloseNoStatus    uint16 = 1005 // never on the wire: a close frame without a body
	CloseAbnormal    uint16 = 1006 // never on the wire: no close frame came
	CloseInvalidData        = uint16(wire.CloseInvalidData)
	ClosePolicy             = uint16(wire.ClosePolicyViolation)
	CloseTooBig             = uint16(wire.CloseTooBig)
	CloseInternal           = uint16(wire.CloseInternalError)
	closeTLS         uint16 = 1015 // never on the wire: the TLS handshake failed
)

// ValidCloseCode reports whether a peer may send code in a close frame: 1000-1003, 1007-1014 and
// 3000-4999 (RFC 6455 section 7.4 and the IANA registry).
func ValidCloseCode(code uint16) bool { return wire.CloseCode(code).Valid() }

// ProtocolError says why a connection must fail and with which close code: 1002 for a broken frame,
// 1007 for text that is not UTF-8 or data that does not inflate, 1009 for a message over the limit.
// Send a close frame with Code and Text, then close the connection (RFC 6455 section 7.1.7).
type ProtocolError struct {
	Code uint16
	Text string
}

// Error returns the code and the text.
func (e *ProtocolError) Error() string { return fmt.Sprintf("socket: %s (%d)", e.Text, e.Code) }
