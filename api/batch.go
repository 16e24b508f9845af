package api

import (
	"context"
	"encoding/json"
	"net/http"

	"boundary-app.org/realtime"
)

// maxBatch is how many messages a batch may have.
const maxBatch = 1000

// results is the answer to a batch, with a receipt or a failure for each message.
type results struct {
	Results []any `json:"results"`
}

type failure struct {
	Error *problem `json:"error"`
}

// batch sends messages one after the other. A message that fails does not stop the
// next ones.
func (a *api) batch(r *http.Request) (any, error) {
	if err := refuseIdempotency(r.Header); err != nil {
		return nil, err
	}
	data, err := requireBody(r)
	if err != nil {
		return nil, err
	}
	entries, err := parseBatch(data)
	if err != nil {
		return nil, err
	}
	return a.sendEntries(r.Context(), entries)
}

// sendEntries sends the messages and returns a result for each. It returns an error
// only when every message failed with 503.
func (a *api) sendEntries(ctx context.Context, entries []json.RawMessage) (any, error) {
	answer := results{Results: make([]any, len(entries))}
	unsent := 0
	var last *problem
	for i, entry := range entries {
		sent, err := a.sendEntry(ctx, entry)
		if err == nil {
			answer.Results[i] = receiptOf(sent)
			continue
		}
		last = a.problem(ctx, err)
		answer.Results[i] = failure{last}
		if last.Status == http.StatusServiceUnavailable {
			unsent++
		}
	}
	if unsent > 0 && unsent == len(entries) {
		return nil, last
	}
	return answer, nil
}

func parseBatch(data []byte) ([]json.RawMessage, error) {
	_, messages, err := parseListBody(data, "messages", "messages")
	if err != nil {
		return nil, err
	}
	if messages.size > maxBatch {
		return nil, newProblem(tooManyEntries, "the batch has %d messages; at most %d are allowed", messages.size, maxBatch)
	}
	return messages.entries, nil
}

func (a *api) sendEntry(ctx context.Context, entry json.RawMessage) (realtime.Receipt, error) {
	parts, err := parseObject("an entry", entry, "to", "message")
	if err != nil {
		return realtime.Receipt{}, err
	}
	to, err := parseAddress(`"to"`, parts["to"])
	if err != nil {
		return realtime.Receipt{}, err
	}
	m, err := realtime.ParseMessage(parts["message"])
	if err != nil {
		return realtime.Receipt{}, err
	}
	return a.svc.Send(ctx, to, m)
}

// parseAddress reads an address such as {"user":"u1"}. The error calls it what.
func parseAddress(what string, data json.RawMessage) (to realtime.Address, err error) {
	kinds := map[string]func(string) realtime.Address{
		"user": realtime.User, "role": realtime.Role, "connection": realtime.Connection, "topic": realtime.Topic,
	}
	parts, err := parseObject(what, data, "user", "role", "connection", "topic", "everyone")
	if err != nil {
		return to, err
	}
	if len(parts) != 1 {
		return to, badBody("%s must have exactly one name, not %d", what, len(parts))
	}
	for name := range parts {
		if name == "everyone" {
			return realtime.Everyone(), parts.isTrue(name)
		}
		var target string
		err = parts.text(name, "a string", &target)
		to = kinds[name](target)
	}
	return to, err
}

func (m members) isTrue(name string) error {
	if string(m[name]) != "true" {
		return badBody("%q must be true", name)
	}
	return nil
}
