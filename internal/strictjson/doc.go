// Package strictjson reads JSON (RFC 8259) in one pass, and strictly: valid
// UTF-8, one value, no name twice in an object, at most 10,000 levels.
//
// It owns the only JSON scanner of the product for text from outside: what
// clients send, bodies of the HTTP API, and tokens. The grammar is exactly that
// of encoding/json; names are compared after their escapes are read. It works
// on bytes in memory and does no I/O; the time is linear in the length of the
// text, whatever it holds, and text without escapes costs no allocation. A
// Reader belongs to one goroutine, all else is safe for concurrent use.
package strictjson
