// Package socket is one WebSocket without its I/O: the handshake, frames in, frames out,
// permessage-deflate and close codes (RFC 6455, RFC 7692).
//
// It owns the octets on the wire and nothing else. It never reads from or writes to a network
// connection, never starts a goroutine or a timer, and never logs: a caller feeds a [Reader] what
// arrived and sends what the Append functions built. [Hijack] is the one function that touches a
// connection, and it only takes it over.
//
// Concurrency: every function is safe for concurrent use. A [Reader] belongs to one goroutine at a
// time; different Readers may run at once. Nothing blocks.
package socket
