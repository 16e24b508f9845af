package api

import (
	"fmt"
	"net/http"
	"slices"

	"boundary-app.org/realtime"
)

// maxTargets is the largest number of addresses of one message.
const maxTargets = maxBatch

// sums is the answer to a message to several addresses.
type sums struct {
	Recipients int   `json:"recipients"` // of all
	Results    []any `json:"results"`    // a receipt or a failure for each
	incomplete
}

// sendToEach sends one message to several addresses.
func (a *api) sendToEach(r *http.Request) (any, error) {
	if err := refuseIdempotency(r.Header); err != nil {
		return nil, err
	}
	data, err := requireBody(r)
	if err != nil {
		return nil, err
	}
	to, m, err := parseTargets(data)
	if err != nil {
		return nil, err
	}
	sent, err := a.svc.SendToEach(r.Context(), to, m)
	if err != nil && len(sent) == 0 {
		return nil, err
	}
	answer := sums{Results: make([]any, len(to))}
	for i, one := range sent {
		answer.Recipients += one.Recipients
		answer.Results[i] = receiptOf(one)
		answer.Missing = append(answer.Missing, one.Missing...)
	}
	slices.Sort(answer.Missing)
	answer.Missing = slices.Compact(answer.Missing)
	if err != nil {
		unsent := failure{a.problem(r.Context(), err)}
		for i := len(sent); i < len(to); i++ {
			answer.Results[i] = unsent
		}
	}
	return answer, nil
}

// parseTargets reads {"to":[{"user":"u1"},{"topic":"a"}],"message":{...}}.
func parseTargets(data []byte) (to []realtime.Address, m realtime.Message, err error) {
	body, entries, err := parseListBody(data, "to", "to", "message")
	if err != nil {
		return nil, m, err
	}
	if entries.size > maxTargets {
		return nil, m, newProblem(tooManyEntries, `"to" has %d addresses; at most %d are allowed`, entries.size, maxTargets)
	}
	for i, entry := range entries.entries {
		address, err := parseAddress(fmt.Sprintf("to[%d]", i), entry)
		if err != nil {
			return nil, m, err
		}
		to = append(to, address)
	}
	m, err = realtime.ParseMessage(body["message"])
	return to, m, err
}
