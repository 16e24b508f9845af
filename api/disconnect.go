package api

import (
	"net/http"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/wire"
)

// maxReason is what a close frame has room for, in bytes (RFC 6455 section 5.5).
const maxReason = 123

// disconnected is the answer to a disconnect.
type disconnected struct {
	Disconnected int `json:"disconnected"`
}

// closeCodes says in words what mayClose decides.
const closeCodes = "1000, 1001, 1008, 1011, 1012, 1013 or one from 4000 to 4999"

// mayClose reports whether a caller may close connections with the code. Codes
// of RFC 6455 that blame a peer's frames are the protocol's to send, those from
// 3000 to 3999 a registered library's.
func mayClose(code int) bool {
	switch code {
	case 1000, 1001, 1008, 1011, 1012, 1013:
		return true
	}
	return code >= 4000 && code <= 4999
}

// closeOrder is how connections are to be closed.
type closeOrder struct {
	code   realtime.CloseCode
	reason string
}

func (a *api) disconnect(r *http.Request) (any, error) {
	n, err := a.closeAll(r, connection(r))
	if err == nil && n == 0 {
		err = noConnection()
	}
	return disconnected{n}, err
}

// disconnectAll is for addresses without connections too.
func (a *api) disconnectAll(of addressee) call {
	return func(r *http.Request) (any, error) {
		n, err := a.closeAll(r, of(r))
		return disconnected{n}, err
	}
}

func (a *api) closeAll(r *http.Request, to realtime.Address) (int, error) {
	data, err := readBody(r)
	if err != nil {
		return 0, err
	}
	order, err := parseCloseOrder(data)
	if err != nil {
		return 0, err
	}
	done, err := a.svc.Disconnect(r.Context(), to, order.code, order.reason)
	return done.Recipients, err
}

// parseCloseOrder reads {"code":4503,"reason":"..."}; both, and the whole, may
// be left out.
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
