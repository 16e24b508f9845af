// Package server owns the running program: its two listeners, what answers at
// which path, and the order in which everything starts and stops.
//
// It decides nothing about messages and connections, which the packages
// realtime and api do, and reads no settings but those of the Config it is
// given. It never logs a token, a key, a query string or what clients send.
//
// New and Run are called in this order, by one goroutine; the HTTP
// handlers are safe for concurrent use.
package server
