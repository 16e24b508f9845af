// Package wsconformance holds WebSocket endpoints to RFC 6455 and RFC 7692. [Run] is a fuzzing
// client for servers that echo; [Serve] is a fuzzing server for clients that echo.
//
// It owns its frames, its masks, its handshake and its deflate streams: it shares no code with
// internal/socket, because a tester that has the parser's mistakes does not show them. It never
// judges by timing, but for two rules: an endpoint that fails a connection closes TCP within a
// second, and text that cannot become UTF-8 any more is refused without waiting for its end.
//
// The groups are numbered as in the well-known list of 517 cases, with cases and payloads of our
// own; "beyond", "limits" and "handshake" hold what that list leaves out.
//
// Concurrency: [Run] and [Serve] may be called at once. They run several cases side by side and
// return when every connection and goroutine of theirs has ended.
package wsconformance
