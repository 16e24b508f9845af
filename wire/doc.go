// Package wire is what clients see: messages, commands, replies, topic names
// and close codes, as PROTOCOL.md describes them.
//
// It owns the JSON that travels in both directions and nothing else: it does
// no I/O, takes no locks and keeps no state, so every function is safe for
// concurrent use.
package wire

// Subprotocol is the Sec-WebSocket-Protocol name that a client offers to get
// refusals as close codes and pings that JavaScript can see.
const Subprotocol = "boundary.realtime.v1"

// BearerPrefix begins the entry of Sec-WebSocket-Protocol that is a token. It goes
// with the entry Subprotocol.
const BearerPrefix = "bearer."
