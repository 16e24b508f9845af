package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
)

func TestABatchIsSentInOrder(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	a, b := s.dial(t, "u1", "admin"), s.dial(t, "u2")
	s.call(t, "PUT", "/v1/connections/"+b.id+"/topics/a%2Fb", "").want(t, http.StatusNoContent)
	s.call(t, "POST", "/v1/batch", `{"messages":[
		{"to":{"user":"u1"},"message":{"type":"t","n":0}},
		{"to":{"role":"admin"},"message":{"type":"t","n":1}},
		{"to":{"connection":"`+a.id+`"},"message":{"type":"t","n":2}},
		{"to":{"topic":"a/b"},"message":{"type":"t","n":3}},
		{"message":{"type":"t","n":4},"to":{"everyone":true}},
		{"to":{"user":"nobody"},"message":{"type":"t"}}
	]}`).wantText(t, http.StatusOK, `{"results":[{"recipients":1},{"recipients":1},{"recipients":1},{"recipients":1},{"recipients":2},{"recipients":0}]}`)
	for client, want := range map[*client][]float64{a: {0, 1, 2, 4}, b: {3, 4}} {
		for _, n := range want {
			if m := client.read(); m["n"] != n {
				t.Errorf("a client read %v, want number %v", m, n)
			}
		}
	}
}

func TestAnInvalidEntryOfABatchStopsNoOther(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageSize: 1000}}, api.Options{})
	c := s.dial(t, "u1")
	const good = `{"to":{"user":"u1"},"message":{"type":"t"}}`
	for _, test := range []struct {
		entry        string
		status       float64
		code, detail string
	}{
		{`null`, 400, "invalid_body", `an entry must be a JSON object with "to", "message"`},
		{`[]`, 400, "invalid_body", `an entry must be a JSON object`},
		{`{}`, 400, "invalid_body", `"to" must be a JSON object with "user", "role", "connection", "topic", "everyone"`},
		{`{"to":{"user":"u1"}}`, 400, "invalid_message", "it must be a JSON object"},
		{`{"to":{"user":"u1"},"message":null}`, 400, "invalid_message", "it must be a JSON object"},
		{`{"to":{"user":"u1"},"message":{"type":""}}`, 400, "invalid_message", `"type" is missing or empty`},
		{`{"to":{"user":"u1"},"message":{"type":"$t"}}`, 400, "invalid_message", "reserved"},
		{`{"to":{"user":"u1"},"message":{"type":"t","id":"1"}}`, 400, "invalid_message", `"id" is reserved`},
		{`{"to":{"user":"u1"},"message":{"type":"t","payload":"` + strings.Repeat("x", 1000) + `"}}`, 413, "message_too_large", "the limit is 1000"},
		{`{"to":{"user":"u1"},"message":{"type":"t"},"Message":{}}`, 400, "invalid_body", `an entry has the unknown name "Message"`},
		{`{"to":"u1","message":{"type":"t"}}`, 400, "invalid_body", `"to" must be a JSON object`},
		{`{"to":{},"message":{"type":"t"}}`, 400, "invalid_body", "exactly one name, not 0"},
		{`{"to":{"user":"u1","role":"r"},"message":{"type":"t"}}`, 400, "invalid_body", "exactly one name, not 2"},
		{`{"to":{"User":"u1"},"message":{"type":"t"}}`, 400, "invalid_body", `unknown name "User"`},
		{`{"to":{"user":1},"message":{"type":"t"}}`, 400, "invalid_body", `"user" must be a string`},
		{`{"to":{"user":null},"message":{"type":"t"}}`, 400, "invalid_body", `"user" must be a string`},
		{`{"to":{"user":"a\ud800"},"message":{"type":"t"}}`, 400, "invalid_body", `"user" has an escape`},
		{`{"to":{"user":""},"message":{"type":"t"}}`, 400, "invalid_target", "invalid target: user: it is empty"},
		{`{"to":{"topic":"a::b"},"message":{"type":"t"}}`, 400, "invalid_topic", "invalid topic: it has an empty segment"},
		{`{"to":{"everyone":false},"message":{"type":"t"}}`, 400, "invalid_body", `"everyone" must be true`},
		{`{"to":{"everyone":"true"},"message":{"type":"t"}}`, 400, "invalid_body", `"everyone" must be true`},
	} {
		got := s.call(t, "POST", "/v1/batch", `{"messages":[`+good+`,`+test.entry+`,`+good+`]}`).want(t, http.StatusOK)
		results := got.json["results"].([]any)
		if len(results) != 3 || results[0].(object)["recipients"] != 1.0 || results[2].(object)["recipients"] != 1.0 {
			t.Fatalf("%.80s: %s", test.entry, got.text)
		}
		failure, _ := results[1].(object)["error"].(object)
		if failure["status"] != test.status || failure["code"] != test.code || !strings.Contains(fmt.Sprint(failure["detail"]), test.detail) {
			t.Errorf("%.80s: %v, want %v, %s and %q", test.entry, failure, test.status, test.code, test.detail)
		}
		c.read()
		c.read()
	}
}

func TestAMalformedBatchIsRefusedWhole(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	const entry = `{"to":{"everyone":true},"message":{"type":"t"}}`
	for _, test := range []struct{ body, code, detail string }{
		{``, "missing_body", "the body is empty"},
		{`[]`, "invalid_body", `the body must be a JSON object with "messages"`},
		{`null`, "invalid_body", `the body must be a JSON object`},
		{`{}`, "invalid_body", `"messages" is missing`},
		{`{"messages":null}`, "invalid_body", `"messages" must be an array`},
		{`{"messages":{}}`, "invalid_body", `"messages" must be an array`},
		{`{"messages":[` + entry + `],"more":1}`, "invalid_body", `unknown name "more"`},
		{`{"Messages":[` + entry + `]}`, "invalid_body", `unknown name "Messages"`},
		{`{"messages":[` + entry + `]`, "malformed_json", "not valid JSON"},
		{`{"messages":[` + entry + `]}{}`, "malformed_json", "not valid JSON"},
		{`{"messages":[` + entry + `],"messages":[]}`, "malformed_json", `"messages" is given twice`},
		{`{"messages":[` + entry + `,{"to":{"user":"a","user":"b"},"message":{"type":"t"}}]}`, "malformed_json", `"user" is given twice`},
		{`{"messages":[` + entry + `,{"to":{"everyone":true},"message":{"type":"t","type":"u"}}]}`, "malformed_json", `"type" is given twice`},
		{"{\"messages\":[{\"to\":{\"user\":\"\xff\"},\"message\":{\"type\":\"t\"}}]}", "malformed_json", "not valid UTF-8"},
		{`{"messages":[` + strings.Repeat(entry+",", 1000) + entry + `]}`, "too_many_entries", "the batch has 1001 messages; at most 1000 are allowed"},
	} {
		s.call(t, "POST", "/v1/batch", test.body).wantProblem(t, http.StatusBadRequest, test.code, test.detail)
	}
}

func TestTheSizeOfABatch(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{MaxBody: 1000})
	s.call(t, "POST", "/v1/batch", `{"messages":[]}`).wantText(t, http.StatusOK, `{"results":[]}`)
	const entry = `{"to":{"everyone":true},"message":{"type":"t"}}`
	full := `{"messages":[` + strings.Repeat(entry+",", 999) + entry + `]}`
	if got := s.call(t, "POST", "/v1/batch", full).want(t, http.StatusOK).json["results"].([]any); len(got) != 1000 {
		t.Errorf("%d results, want 1000", len(got))
	}
	pad := strings.Repeat(" ", 64_000-len(full))
	s.call(t, "POST", "/v1/batch", full+pad).want(t, http.StatusOK)
	s.call(t, "POST", "/v1/batch", full+pad+" ").wantProblem(t, http.StatusRequestEntityTooLarge, "body_too_large", "longer than 64000 bytes")
}

// A batch costs memory for the messages that may be sent, not for those too many: it
// is read once, and no more than 1,000 are kept.
func TestABatchOfZerosCostsLittle(t *testing.T) {
	body := `{"messages":[` + strings.Repeat("0,", 2<<20-16) + `0]}`
	s := start(t, realtime.Options{}, api.Options{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := record(t, s.Service, httptest.NewRequest(http.MethodPost, "/v1/batch", strings.NewReader(body)))
	runtime.ReadMemStats(&after)
	got.wantProblem(t, http.StatusBadRequest, "too_many_entries", "has 2097137 messages; at most 1000 are allowed")
	if took := after.TotalAlloc - before.TotalAlloc; took > 40<<20 {
		t.Errorf("a body of %d bytes took %d bytes", len(body), took)
	}
}

func BenchmarkBatchOfZeros(b *testing.B) {
	body := `{"messages":[` + strings.Repeat("0,", 2<<20-16) + `0]}`
	s := start(b, realtime.Options{}, api.Options{})
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		record(b, s.Service, httptest.NewRequest(http.MethodPost, "/v1/batch", strings.NewReader(body)))
	}
}
