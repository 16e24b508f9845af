// Package edge bounds what a client can hold of a listener before and between
// its requests: a connection whose first request does not come, answers that are
// not read, headers that are too long. It learns the client's address from a proxy
// of the PROXY protocol.
//
// It owns an accepted connection until net/http closes it or a WebSocket takes it
// over; from then on it is not in the way. It looks into nothing that a client
// reads or writes. A Listener is safe for concurrent use.
package edge
