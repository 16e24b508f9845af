// Package apiclient calls the HTTP API of a server, for the commands.
//
// It owns how calls are made: the key, limits of time and size, names in paths, pages of
// lists, and problems as errors. The commands know which calls there are. It prints
// nothing and never shows a key. A Client is safe for concurrent use and starts no
// goroutine that outlives a call.
package apiclient
