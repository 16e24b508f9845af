package api

import (
	"net/http"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/wire"
)

// maxReason is what a close frame has room for, in octets (RFC 6455 section 5.5).
const maxReason = 123

// disconnected is the answer to a disconnect.
type disconnected struct {
	Disconnected int `json:"disconnected"`
}

// closeOrder is how connections are to be closed.
type closeOrder struct {
	code   realtime.CloseCode
	reason string
}

func (a *api) disconnect(r *http.Request) (any, error) {
	n, err := a.closeAll(r, realtime.Connection(r.PathValue("id")))
	if err == nil && n == 0 {
		err = noConnection()
	}
	return disconnected{n}, err
}

func (a *api) disconnectUser(r *http.Request) (any, error) {
	n, err := a.closeAll(r, realtime.User(r.PathValue("user")))
	return disconnected{n}, err
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
	if err := body.member("code", "a number from 4000 to 4999", &order.code); err != nil {
		return order, err
	}
	if err := body.member("reason", "a string", &order.reason); err != nil {
		return order, err
	}
	switch {
	case !order.code.Valid():
		return order, badRequest(`"code": %d is not a close code that may be sent; use one from 4000 to 4999`, order.code)
	case len(order.reason) > maxReason:
		return order, badRequest(`"reason" has %d octets; at most %d fit into a close frame`, len(order.reason), maxReason)
	}
	return order, nil
}
