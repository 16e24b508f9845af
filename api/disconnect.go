package api

import (
	"net/http"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/wire"
)

// maxReason is the longest reason of a close frame in bytes (RFC 6455 section 5.5).
const maxReason = 123

// disconnected is the answer to a disconnect.
type disconnected struct {
	Disconnected int `json:"disconnected"`
	incomplete
}

func disconnectedOf(r realtime.Receipt) disconnected {
	return disconnected{r.Recipients, incomplete{r.Missing}}
}

// closeCodes lists the codes that mayClose accepts, for error texts.
const closeCodes = "1000, 1001, 1008, 1011, 1012, 1013 or one from 4000 to 4999"

// mayClose reports whether a caller may close connections with the code. Only the
// protocol itself sends the codes of RFC 6455 about broken frames; 3000 to 3999 are
// for registered libraries.
func mayClose(code int) bool {
	switch code {
	case 1000, 1001, 1008, 1011, 1012, 1013:
		return true
	}
	return code >= 4000 && code <= 4999
}

// closeOrder holds the code and the reason of a disconnect.
type closeOrder struct {
	code   realtime.CloseCode
	reason string
}

func (a *api) disconnect(r *http.Request) (any, error) {
	done, err := a.closeAll(r, connection(r))
	if _, err := orNoConnection(done, err); err != nil {
		return nil, err
	}
	return disconnectedOf(done), nil
}

// disconnectAll returns a call that closes all connections of an address; none is no
// error.
func (a *api) disconnectAll(of pathAddress) call {
	return func(r *http.Request) (any, error) {
		done, err := a.closeAll(r, of(r))
		return disconnectedOf(done), err
	}
}

func (a *api) closeAll(r *http.Request, to realtime.Address) (done realtime.Receipt, err error) {
	data, err := readBody(r)
	if err != nil {
		return done, err
	}
	order, err := parseCloseOrder(data)
	if err != nil {
		return done, err
	}
	return a.svc.Disconnect(r.Context(), to, order.code, order.reason)
}

// parseCloseOrder reads {"code":4503,"reason":"..."}. Both members, and the whole
// body, are optional.
func parseCloseOrder(data []byte) (closeOrder, error) {
	order := closeOrder{code: wire.CloseKicked}
	if data == nil {
		return order, nil
	}
	body, err := parseBody(data, "code", "reason")
	if err != nil {
		return order, err
	}
	code := int(order.code)
	if err := body.member("code", "a number: "+closeCodes, &code); err != nil {
		return order, err
	}
	if err := body.text("reason", "a string", &order.reason); err != nil {
		return order, err
	}
	if !mayClose(code) {
		return order, badBody(`"code": %d is not a close code that may be sent; use %s`, code, closeCodes)
	}
	order.code = realtime.CloseCode(code)
	return order, checkReason(order.reason)
}

func checkReason(reason string) error {
	if len(reason) > maxReason {
		return badBody(`"reason" has %d bytes; at most %d fit into a close frame`, len(reason), maxReason)
	}
	return nil
}
