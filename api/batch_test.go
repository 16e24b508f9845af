package api_test

import (
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

// refusedEntries are entries of a batch that are refused, where a message has 1,000
// bytes at most.
var refusedEntries = []struct {
	entry  string
	status int
	code   string
}{
	{`null`, 400, "invalid_body"},
	{`[]`, 400, "invalid_body"},
	{`{}`, 400, "invalid_body"},
	{`{"to":{"user":"u1"}}`, 400, "invalid_message"},
	{`{"to":{"user":"u1"},"message":null}`, 400, "invalid_message"},
	{`{"to":{"user":"u1"},"message":{"type":""}}`, 400, "invalid_message"},
	{`{"to":{"user":"u1"},"message":{"type":"$t"}}`, 400, "invalid_message"},
	{`{"to":{"user":"u1"},"message":{"type":"t","id":"1"}}`, 400, "invalid_message"},
	{`{"to":{"user":"u1"},"message":{"type":"t","payload":"` + strings.Repeat("x", 1000) + `"}}`, 413, "message_too_large"},
	{`{"to":{"user":"u1"},"message":{"type":"t"},"Message":{}}`, 400, "invalid_body"},
	{`{"to":"u1","message":{"type":"t"}}`, 400, "invalid_body"},
	{`{"to":{},"message":{"type":"t"}}`, 400, "invalid_body"},
	{`{"to":{"user":"u1","role":"r"},"message":{"type":"t"}}`, 400, "invalid_body"},
	{`{"to":{"User":"u1"},"message":{"type":"t"}}`, 400, "invalid_body"},
	{`{"to":{"user":1},"message":{"type":"t"}}`, 400, "invalid_body"},
	{`{"to":{"user":null},"message":{"type":"t"}}`, 400, "invalid_body"},
	{`{"to":{"user":"a\ud800"},"message":{"type":"t"}}`, 400, "invalid_body"},
	{`{"to":{"user":""},"message":{"type":"t"}}`, 400, "invalid_target"},
	{`{"to":{"topic":"a::b"},"message":{"type":"t"}}`, 400, "invalid_topic"},
	{`{"to":{"everyone":false},"message":{"type":"t"}}`, 400, "invalid_body"},
	{`{"to":{"everyone":"true"},"message":{"type":"t"}}`, 400, "invalid_body"},
}

func TestAnInvalidEntryOfABatchStopsNoOther(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageSize: 1000}}, api.Options{})
	c := s.dial(t, "u1")
	const good = `{"to":{"user":"u1"},"message":{"type":"t"}}`
	for _, test := range refusedEntries {
		got := s.call(t, "POST", "/v1/batch", `{"messages":[`+good+`,`+test.entry+`,`+good+`]}`).want(t, http.StatusOK)
		results := got.json["results"].([]any)
		if len(results) != 3 || results[0].(object)["recipients"] != 1.0 || results[2].(object)["recipients"] != 1.0 {
			t.Fatalf("%.80s: %s", test.entry, got.text)
		}
		failure, _ := results[1].(object)["error"].(object)
		if failure["status"] != float64(test.status) || failure["code"] != test.code {
			t.Errorf("%.80s: %v, want %d and %s", test.entry, failure, test.status, test.code)
		}
		c.read()
		c.read()
	}
}

const batchEntry = `{"to":{"everyone":true},"message":{"type":"t"}}`

var refusedBatches = []refusedCall{
	{"POST", "/v1/batch", ``, 400, "missing_body"},
	{"POST", "/v1/batch", `[]`, 400, "invalid_body"},
	{"POST", "/v1/batch", `null`, 400, "invalid_body"},
	{"POST", "/v1/batch", `{}`, 400, "invalid_body"},
	{"POST", "/v1/batch", `{"messages":null}`, 400, "invalid_body"},
	{"POST", "/v1/batch", `{"messages":{}}`, 400, "invalid_body"},
	{"POST", "/v1/batch", `{"messages":[` + batchEntry + `],"more":1}`, 400, "invalid_body"},
	{"POST", "/v1/batch", `{"Messages":[` + batchEntry + `]}`, 400, "invalid_body"},
	{"POST", "/v1/batch", `{"messages":[` + batchEntry + `]`, 400, "malformed_json"},
	{"POST", "/v1/batch", `{"messages":[` + batchEntry + `]}{}`, 400, "malformed_json"},
	{"POST", "/v1/batch", `{"messages":[` + batchEntry + `],"messages":[]}`, 400, "malformed_json"},
	{"POST", "/v1/batch", `{"messages":[` + batchEntry + `,{"to":{"user":"a","user":"b"},"message":{"type":"t"}}]}`, 400, "malformed_json"},
	{"POST", "/v1/batch", `{"messages":[` + batchEntry + `,{"to":{"everyone":true},"message":{"type":"t","type":"u"}}]}`, 400, "malformed_json"},
	{"POST", "/v1/batch", "{\"messages\":[{\"to\":{\"user\":\"\xff\"},\"message\":{\"type\":\"t\"}}]}", 400, "malformed_json"},
	{"POST", "/v1/batch", `{"messages":[` + strings.Repeat(batchEntry+",", 1000) + batchEntry + `]}`, 400, "too_many_entries"},
}

func TestAMalformedBatchIsRefusedWhole(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	for _, test := range refusedBatches {
		s.make(t, test, "").wantProblem(t, test.status, test.code)
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
	s.call(t, "POST", "/v1/batch", full+pad+" ").wantProblem(t, http.StatusRequestEntityTooLarge, "body_too_large")
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
	got.wantProblem(t, http.StatusBadRequest, "too_many_entries")
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
