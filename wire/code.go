package wire

// CloseCode is the status of a WebSocket close frame (RFC 6455 section 7.4).
// Of the codes that are ours, 4000-4499 ask the client to reconnect and
// 4500-4999 tell it to stop.
type CloseCode uint16

// The codes the server closes with.
const (
	CloseNormal          CloseCode = 1000
	CloseGoingAway       CloseCode = 1001
	CloseProtocolError   CloseCode = 1002
	CloseUnsupportedData CloseCode = 1003
	CloseInvalidData     CloseCode = 1007
	ClosePolicyViolation CloseCode = 1008
	CloseTooBig          CloseCode = 1009
	CloseInternalError   CloseCode = 1011
	CloseServiceRestart  CloseCode = 1012
	CloseTryAgain        CloseCode = 1013

	CloseDrain           CloseCode = 4001
	CloseTokenExpired    CloseCode = 4005
	CloseTooSlow         CloseCode = 4008
	CloseNoPong          CloseCode = 4012
	CloseTooManyRequests CloseCode = 4013
	CloseBadToken        CloseCode = 4500
	CloseBadRequest      CloseCode = 4501
	CloseKicked          CloseCode = 4503
	CloseConnectionLimit CloseCode = 4504
	CloseTopicLimit      CloseCode = 4505
	CloseForbidden       CloseCode = 4507
)

// Valid reports whether the code may be put into a close frame by a server
// or an application: 1000-1003, 1007-1014 and 3000-4999 (RFC 6455 7.4.1 and
// the IANA registry).
func (c CloseCode) Valid() bool {
	switch {
	case c >= 3000 && c <= 4999:
		return true
	case c >= 1000 && c <= 1014:
		return c != 1004 && c != 1005 && c != 1006
	}
	return false
}

// Reconnect reports whether a client that was closed with the code should
// connect again. A client that got a Closing frame before should in any case, after
// the delay it names.
func (c CloseCode) Reconnect() bool {
	switch {
	case c >= 4000 && c <= 4499:
		return true
	case c == CloseGoingAway, c == CloseInternalError, c == 1006, c == CloseServiceRestart, c == CloseTryAgain:
		return true
	}
	return false
}
