package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
)

func TestOneMessageToSeveralAddresses(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	a, b := s.dial(t, "u1", "admin"), s.dial(t, "u2")
	s.call(t, "PUT", "/v1/connections/"+b.id+"/topics/a%2Fb", "").want(t, http.StatusNoContent)
	s.call(t, "POST", "/v1/messages", `{"message":{"type":"t","n":1},"to":[
		{"user":"u1"},{"role":"admin"},{"connection":"`+b.id+`"},{"topic":"a/b"},{"everyone":true},{"user":"nobody"},{"user":"u1"}
	]}`).wantText(t, http.StatusOK, `{"recipients":7,"results":[{"recipients":1},{"recipients":1},{"recipients":1},{"recipients":1},{"recipients":2},{"recipients":0},{"recipients":1}]}`)
	for client, topics := range map[*client][]any{a: {nil, nil, nil, nil}, b: {nil, "a/b", nil}} {
		for _, topic := range topics {
			if m := client.read(); m["n"] != 1.0 || m["topic"] != topic {
				t.Errorf("a client read %v, want the topic %v", m, topic)
			}
		}
	}
	s.call(t, "POST", "/v1/messages", `{"to":[],"message":{"type":"t"}}`).wantText(t, http.StatusOK, `{"recipients":0,"results":[]}`)
}

const everyone = `{"everyone":true}`

// refusedTargets are refused where a message has 200 bytes at most, and a body 10,000.
var refusedTargets = []refusedCall{
	{"POST", "/v1/messages", ``, 400, "missing_body"},
	{"POST", "/v1/messages", `{`, 400, "malformed_json"},
	{"POST", "/v1/messages", `[]`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"message":{"type":"t"}}`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"to":` + everyone + `,"message":{"type":"t"}}`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"to":null,"message":{"type":"t"}}`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `]}`, 400, "invalid_message"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `],"message":{"type":"$t"}}`, 400, "invalid_message"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `],"messages":{"type":"t"}}`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `,null],"message":{"type":"t"}}`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `,{}],"message":{"type":"t"}}`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `,{"user":"a","role":"b"}],"message":{"type":"t"}}`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `,{"users":"a"}],"message":{"type":"t"}}`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `,{"everyone":false}],"message":{"type":"t"}}`, 400, "invalid_body"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `,{"user":""}],"message":{"type":"t"}}`, 400, "invalid_target"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `,{"topic":"a::b"}],"message":{"type":"t"}}`, 400, "invalid_topic"},
	{"POST", "/v1/messages", `{"to":[` + everyone + `,{"topic":"` + long[1:] + `"}],"message":{"type":"t"}}`, 413, "message_too_large"},
	{"POST", "/v1/messages", `{"to":[` + strings.Repeat(everyone+",", 1000) + everyone + `],"message":{"type":"t"}}`, 400, "too_many_entries"},
	{"POST", "/v1/messages", strings.Repeat(" ", 640_001), 413, "body_too_large"},
}

// TestAMistakeStopsAllOfIt: nothing is sent when one address cannot be used.
func TestAMistakeStopsAllOfIt(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageSize: 200}}, api.Options{MaxBody: 10_000})
	c := s.dial(t, "u1")
	for _, test := range refusedTargets {
		s.make(t, test, "").wantProblem(t, test.status, test.code)
	}
	full := `{"to":[` + strings.Repeat(`{"user":"nobody"},`, 999) + everyone + `],"message":{"type":"last"}}`
	if got := s.call(t, "POST", "/v1/messages", full).want(t, http.StatusOK).json; len(got["results"].([]any)) != 1000 || got["recipients"] != 1.0 {
		t.Errorf("%d results, %v recipients", len(got["results"].([]any)), got["recipients"])
	}
	if m := c.read(); m["type"] != "last" {
		t.Errorf("a refused call has sent %v", m)
	}
}

func TestAFailureOnTheWay(t *testing.T) {
	t.Parallel()
	left := 2
	tiring := bustest.Intercept(bus.NewMemory(), func(context.Context, bus.Node, bus.Envelope) (bus.Receipt, error) {
		if left--; left < 0 {
			return bus.Receipt{}, bus.ErrClosed
		}
		return bus.Receipt{Recipients: 3}, nil
	})
	s := start(t, realtime.Options{Bus: tiring}, api.Options{})
	const body = `{"to":[{"user":"u1"},{"user":"u2"},{"user":"u3"},{"user":"u4"}],"message":{"type":"t"}}`
	got := s.call(t, "POST", "/v1/messages", body).want(t, http.StatusOK).json
	results := got["results"].([]any)
	if got["recipients"] != 6.0 || len(results) != 4 {
		t.Fatalf("the answer is %v", got)
	}
	for i, result := range results {
		failure, failed := result.(object)["error"].(object)
		if failed != (i >= 2) || failed && failure["code"] != "shut_down" {
			t.Errorf("result %d is %v", i, result)
		}
	}
	s.call(t, "POST", "/v1/messages", body).wantProblem(t, http.StatusServiceUnavailable, "shut_down")
}

// FuzzTargets checks that the call is either refused whole or has one result for
// each address.
func FuzzTargets(f *testing.F) {
	for _, seed := range []string{
		``, `{"to":[],"message":{"type":"t"}}`, `{"to":[{"user":"u1"},{"topic":"a"}],"message":{"type":"t"}}`, `{"to":[{"everyone":1}]}`,
		`{"to":[null,1,{},{"user":null}],"message":{"type":"t"}}`, `{"to":{"user":"u"},"message":{}}`, `{"to":[{"topic":"*"}],"message":{"type":"t"}}`,
	} {
		f.Add(seed)
	}
	s := start(f, realtime.Options{}, api.Options{})
	f.Fuzz(func(t *testing.T, body string) {
		got := record(t, s.Service, httptest.NewRequest(http.MethodPost, "/v1/messages", strings.NewReader(body)))
		if got.status == http.StatusBadRequest || got.status == http.StatusRequestEntityTooLarge {
			return
		}
		var call struct {
			To []map[string]any
		}
		if err := json.Unmarshal([]byte(body), &call); err != nil {
			t.Fatalf("accepted %q: %v", body, err)
		}
		results := got.want(t, http.StatusOK).json["results"].([]any)
		if len(results) != len(call.To) {
			t.Fatalf("%d results for %d addresses", len(results), len(call.To))
		}
		for i, to := range call.To {
			if len(to) != 1 {
				t.Fatalf("accepted the address %v", to)
			}
			if _, failed := results[i].(object)["error"]; failed {
				t.Errorf("%v failed: %v", to, results[i])
			}
		}
	})
}
