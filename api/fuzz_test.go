package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/internal/strictjson"
	"boundary-app.org/realtime/wire"
)

// FuzzMessageBody holds the answer against what the wire package says of the body.
func FuzzMessageBody(f *testing.F) {
	for _, seed := range []string{
		``, message, `{"type":"t","payload":{"a":[1,2]}}`, `{"type":"$t"}`, `{"type":"t","id":1}`, `[`, "{\"type\":\"\xff\"}", `{"type":"t"} `,
	} {
		f.Add(seed)
	}
	s := start(f, realtime.Options{}, api.Options{})
	f.Fuzz(func(t *testing.T, body string) {
		want := http.StatusOK
		if _, err := wire.ParseMessage([]byte(body)); err != nil {
			want = http.StatusBadRequest
		}
		record(t, s.Service, httptest.NewRequest(http.MethodPost, "/v1/topics/t/messages", strings.NewReader(body))).want(t, want)
	})
}

// FuzzBatch checks that a batch is either refused whole or has one result, with
// no status of 500 or more, for each message.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		``, `{"messages":[]}`, `{"messages":[{"to":{"user":"u1"},"message":{"type":"t"}},{"to":{"everyone":true},"message":{"type":"t"}}]}`,
		`{"messages":[null,1,{},{"to":{}},{"to":{"topic":"*"},"message":{}}]}`, `{"messages":[{"to":{"user":null}}]}`, `{"messages":null}`,
	} {
		f.Add(seed)
	}
	s := start(f, realtime.Options{}, api.Options{})
	f.Fuzz(func(t *testing.T, body string) {
		got := record(t, s.Service, httptest.NewRequest(http.MethodPost, "/v1/batch", strings.NewReader(body)))
		if got.status == http.StatusBadRequest {
			return
		}
		var batch struct{ Messages []json.RawMessage }
		if err := json.Unmarshal([]byte(body), &batch); err != nil {
			t.Fatalf("accepted %q: %v", body, err)
		}
		results := got.want(t, http.StatusOK).json["results"].([]any)
		if len(results) != len(batch.Messages) {
			t.Fatalf("%d results for %d messages", len(results), len(batch.Messages))
		}
		for _, result := range results {
			if failure, ok := result.(object)["error"].(object); ok && failure["status"].(float64) >= 500 {
				t.Errorf("a message of %q failed: %v", body, failure)
			}
		}
	})
}

// FuzzRevocation checks that a revocation is either refused, or says exactly one
// thing that can be revoked.
func FuzzRevocation(f *testing.F) {
	for _, seed := range []string{
		``, `{"user":"u1"}`, `{"tokenId":"t","until":"2099-01-02T03:04:05.5+01:00"}`, `{"connection":"c","reason":"r"}`, `{"user":"u","tokenId":"t"}`,
		`{"user":""}`, `{"user":"u","until":"2000-01-01T00:00:00Z"}`, `{"user":null}`, `null`, `{"user":"u"}{}`,
	} {
		f.Add(seed)
	}
	s := start(f, realtime.Options{}, api.Options{})
	f.Fuzz(func(t *testing.T, body string) {
		got := record(t, s.Service, httptest.NewRequest(http.MethodPost, "/v1/revocations", strings.NewReader(body)))
		if got.status == http.StatusBadRequest {
			return
		}
		var order map[string]string
		if err := json.Unmarshal([]byte(body), &order); err != nil || strictjson.Check([]byte(body)) != nil {
			t.Fatalf("accepted %q: %v", body, err)
		}
		if order["connection"] != "" {
			got.want(t, http.StatusNotFound)
		} else {
			got.wantText(t, http.StatusOK, `{"disconnected":0}`)
		}
		if n := len(order["user"]) + len(order["connection"]) + len(order["tokenId"]); n == 0 || n > wire.MaxName {
			t.Fatalf("accepted %q", body)
		}
	})
}
