package wsconformance

import "fmt"

// pings is group 2.
func pings() []testCase {
	const control = 125
	full := highPattern(control)
	var ten []frame
	var tenPongs []event
	for i := range 10 {
		body := fmt.Sprintf("ping %d of ten", i)
		ten, tenPongs = append(ten, ping(body)), append(tenPongs, gotPong(body))
	}
	return scripts(
		script{name: "2.1 an empty ping", send: frames(ping("")), want: events(gotPong("")), end: cleanly},
		script{name: "2.2 a ping with text", send: frames(ping("are you there?")), want: events(gotPong("are you there?")), end: cleanly},
		script{name: "2.3 a ping with octets that are no text", send: frames(ping("\x00\xFF\xC0\xFE\x80")), want: events(gotPong("\x00\xFF\xC0\xFE\x80")), end: cleanly},
		script{name: "2.4 a ping of 125 octets", send: frames(ping(full)), want: events(gotPong(full)), end: cleanly},
		script{name: "2.5 a ping of 126 octets", send: frames(ping(full + "!")), end: failing(codeProtocol)},
		script{name: "2.6 a ping of 125 octets, octet by octet", chop: octets, send: frames(ping(full)), want: events(gotPong(full)), end: cleanly},
		script{name: "2.7 an empty pong that nobody asked for", send: frames(pong("")), end: cleanly},
		script{name: "2.8 a pong that nobody asked for", send: frames(pong("nobody asked")), end: cleanly},
		script{name: "2.9 a pong, then a ping", send: frames(pong("nobody asked"), ping("somebody asks")), want: events(gotPong("somebody asks")), end: cleanly},
		script{name: "2.10 ten pings at once", send: ten, want: tenPongs, end: cleanly},
		script{name: "2.11 ten pings, octet by octet", chop: octets, send: ten, want: tenPongs, end: cleanly},
	)
}
