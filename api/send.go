package api

import (
	"net/http"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/strictjson"
)

// receipt is the answer to a send, and to a change of subscriptions.
type receipt struct {
	Recipients int `json:"recipients"`
	incomplete
}

// incomplete is the part of an answer that names the nodes that did not reply.
type incomplete struct {
	Missing []bus.NodeID `json:"missing,omitempty"`
}

func receiptOf(r realtime.Receipt) receipt { return receipt{r.Recipients, incomplete{r.Missing}} }

// send returns a call that sends its body, a message, to an address.
func (a *api) send(to pathAddress) call {
	return func(r *http.Request) (any, error) {
		if err := refuseIdempotency(r.Header); err != nil {
			return nil, err
		}
		data, err := requireBody(r)
		if err != nil {
			return nil, err
		}
		m, err := parseMessage(data)
		if err != nil {
			return nil, err
		}
		sent, err := a.svc.Send(r.Context(), to(r), m)
		if err != nil {
			return nil, err
		}
		return receiptOf(sent), nil
	}
}

// parseMessage parses a message. A body that is not valid JSON is malformedJSON, not
// invalidMessage.
func parseMessage(body []byte) (realtime.Message, error) {
	m, err := realtime.ParseMessage(body)
	if err != nil && strictjson.Check(body) != nil {
		return m, newProblem(malformedJSON, "%s", plain(err))
	}
	return m, err
}

// refuseIdempotency refuses an Idempotency-Key, since retries are not detected yet.
func refuseIdempotency(header http.Header) error {
	if len(header.Values("Idempotency-Key")) == 0 {
		return nil
	}
	return newProblem(notImplemented, "Idempotency-Key is not supported yet; send without it")
}
