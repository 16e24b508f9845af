// Package edge limits what a client can hold of a listener before and between its requests:
// connections without a request, unread answers, long headers. It reads the address of the
// client from the PROXY protocol.
//
// It owns an accepted connection until net/http closes it or a WebSocket takes it over; a
// connection that was taken over is no longer wrapped. It does not inspect the data of a
// client, except for the PROXY header. A Listener is safe for concurrent use.
package edge
