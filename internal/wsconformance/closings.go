package wsconformance

import "fmt"

// closings is group 7.
func closings() []testCase {
	bye := closing(codeNormal, "")
	const reason = 123 // octets of the longest reason
	cases := scripts(
		script{name: "7.1.1 a message, then a close", send: frames(text("last words"), bye), want: events(maybe(gotText("last words"))), end: answering(codeNormal)},
		script{name: "7.1.2 two closes", send: frames(bye, bye), end: answering(codeNormal)},
		script{name: "7.1.3 a close, then a ping", send: frames(bye, ping("after")), end: answering(codeNormal)},
		script{name: "7.1.4 a close, then a text", send: frames(bye, text("after")), end: answering(codeNormal)},
		script{
			name: "7.1.5 a close inside a fragmented message", end: answering(codeNormal),
			send: frames(part(opText, "begin, "), bye, last("end")),
		},
		script{
			name: "7.1.6 a large message, then a close, then a ping", end: answering(codeNormal),
			send: frames(text(pattern(256<<10)), bye, ping("after")), want: events(maybe(gotText(pattern(256 << 10)))),
		},
		script{name: "7.3.1 a close without a code", send: frames(frame{op: opClose}), end: answering(codeNoStatus, codeNormal)},
		script{name: "7.3.2 a close of one octet", send: frames(frame{op: opClose, payload: []byte{3}}), end: failing(codeProtocol)},
		script{name: "7.3.3 a close with a code", send: frames(bye), end: answering(codeNormal)},
		script{name: "7.3.4 a close with a code and a reason", send: frames(closing(codeNormal, "that was all")), end: answering(codeNormal)},
		script{name: "7.3.5 a close with a reason of 123 octets", send: frames(closing(codeNormal, pattern(reason))), end: answering(codeNormal)},
		script{name: "7.3.6 a close with a reason of 124 octets", send: frames(closing(codeNormal, pattern(reason+1))), end: failing(codeProtocol)},
		script{name: "7.5 a close with a reason that is not UTF-8", send: frames(closing(codeNormal, "caf\xE9 closed")), end: failing(codeData)},
	)
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, script{
			name: fmt.Sprintf("7.7 a close with code %d", code), send: frames(closing(code, "")), end: answering(code),
		}.testCase())
	}
	for _, code := range []uint16{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		cases = append(cases, badCode("7.9", code))
	}
	return append(cases, badCode("7.13", 5000), badCode("7.13", 65535))
}

func badCode(number string, code uint16) testCase {
	return script{
		name: fmt.Sprintf("%s a close with code %d", number, code), send: frames(closing(code, "")), end: failing(codeProtocol),
	}.testCase()
}
