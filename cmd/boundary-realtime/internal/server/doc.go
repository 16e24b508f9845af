// Package server owns the running program: its two listeners, the handlers of all paths,
// and the order in which everything starts and stops.
//
// The packages realtime and api handle messages and connections. The server reads no
// settings but those of its Config. It never logs a token, a key, a query string or data
// of a client.
//
// Call New and then Run, from one goroutine. The HTTP handlers are safe for concurrent use.
package server
