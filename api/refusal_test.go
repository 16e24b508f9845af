package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
)

const message = `{"type":"t"}`

// refusedCall is a call that the API refuses, and how. In the path and the body
// {id} stands for the id of a connection.
type refusedCall struct {
	method, path, body string
	status             int
	code               string
}

var long = strings.Repeat("x", 256)

// refusedCalls are refused by what they say, where a message has 200 bytes at most.
var refusedCalls = []refusedCall{
	{"POST", "/v1/broadcast", ``, 400, "missing_body"},
	{"POST", "/v1/broadcast", " \n", 400, "missing_body"},
	{"POST", "/v1/broadcast", `{`, 400, "malformed_json"},
	{"POST", "/v1/broadcast", `null`, 400, "invalid_message"},
	{"POST", "/v1/broadcast", `[` + message + `]`, 400, "invalid_message"},
	{"POST", "/v1/broadcast", message + message, 400, "malformed_json"},
	{"POST", "/v1/broadcast", `{"type":"t","type":"t"}`, 400, "malformed_json"},
	{"POST", "/v1/broadcast", `{"type":"t","a":[{"b":1,"\u0062":2}]}`, 400, "malformed_json"},
	{"POST", "/v1/broadcast", "{\"type\":\"\xff\"}", 400, "malformed_json"},
	{"POST", "/v1/broadcast", `{"payload":1}`, 400, "invalid_message"},
	{"POST", "/v1/broadcast", `{"type":1}`, 400, "invalid_message"},
	{"POST", "/v1/broadcast", `{"type":null}`, 400, "invalid_message"},
	{"POST", "/v1/broadcast", `{"type":"$connected"}`, 400, "invalid_message"},
	{"POST", "/v1/broadcast", `{"type":"t","topic":"x"}`, 400, "invalid_message"},
	{"POST", "/v1/broadcast", `{"type":"t","payload":"` + long[:150] + `"}`, 413, "message_too_large"},
	{"POST", "/v1/broadcast", message + strings.Repeat(" ", 200), 413, "body_too_large"},
	{"POST", "/v1/users/%00/messages", message, 400, "invalid_target"},
	{"POST", "/v1/users/%FF/messages", message, 400, "invalid_target"},
	{"POST", "/v1/users/" + long + "/messages", message, 400, "invalid_target"},
	{"POST", "/v1/roles/%1F/messages", message, 400, "invalid_target"},
	{"POST", "/v1/connections/%0A/messages", message, 400, "invalid_target"},
	{"POST", "/v1/topics/a::b/messages", message, 400, "invalid_topic"},
	{"POST", "/v1/topics/a*/messages", message, 400, "invalid_topic"},
	{"POST", "/v1/topics/%24a/messages", message, 400, "invalid_topic"},
	{"POST", "/v1/topics/" + long + "/messages", message, 400, "invalid_topic"},

	{"GET", "/v1/connections?limit=0", ``, 400, "invalid_query"},
	{"GET", "/v1/connections?limit=1001", ``, 400, "invalid_query"},
	{"GET", "/v1/connections?limit=", ``, 400, "invalid_query"},
	{"GET", "/v1/connections?limit=1e2", ``, 400, "invalid_query"},
	{"GET", "/v1/connections?usr=u1", ``, 400, "invalid_query"},
	{"GET", "/v1/topics/a/subscribers?limit=1001", ``, 400, "invalid_query"},
	{"GET", "/v1/topics/a/subscribers?limit=1&limit=1", ``, 400, "invalid_query"},
	{"GET", "/v1/nothing?a=1", `x`, 404, "unknown_path"},
	{"PUT", "/v1/broadcast?a=1", `x`, 405, "method_not_allowed"},
	{"POST", "/v1/broadcast?a=%zz", message, 400, "invalid_query"},
	{"GET", "/v1/connections?user=u1&user=u2", ``, 400, "invalid_query"},
	{"GET", "/v1/connections?user=", ``, 400, "invalid_target"},
	{"GET", "/v1/connections?role=", ``, 400, "invalid_target"},
	{"GET", "/v1/connections?topic=a::b", ``, 400, "invalid_topic"},
	{"GET", "/v1/connections?user=%zz", ``, 400, "invalid_query"},
	{"GET", "/v1/topics?limit=-1", ``, 400, "invalid_query"},
	{"GET", "/v1/topics?user=u1", ``, 400, "invalid_query"},
	{"GET", "/v1/topics/a*/subscribers", ``, 400, "invalid_topic"},
	{"GET", "/v1/topics/a/history", ``, 501, "not_implemented"},
	{"GET", "/v1/topics/a/presence", ``, 501, "not_implemented"},

	{"DELETE", "/v1/connections/{id}", `[]`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `null`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `{} {}`, 400, "malformed_json"},
	{"DELETE", "/v1/connections/{id}", `{"code":4000,"code":4000}`, 400, "malformed_json"},
	{"DELETE", "/v1/connections/{id}", `{"Code":4000}`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `{"code":"4000"}`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `{"code":null}`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `{"code":4000.5}`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `{"code":0}`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `{"code":1005}`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `{"code":5000}`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `{"reason":1}`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/{id}", `{"reason":"` + long[:124] + `"}`, 400, "invalid_body"},
	{"DELETE", "/v1/connections/%00", ``, 400, "invalid_target"},
	{"DELETE", "/v1/users/%00/connections", ``, 400, "invalid_target"},

	{"POST", "/v1/revocations", ``, 400, "missing_body"},
	{"POST", "/v1/revocations", `[]`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"reason":"x"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","tokenId":"x"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","user":"u1"}`, 400, "malformed_json"},
	{"POST", "/v1/revocations", `{"User":"u1"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","code":4503}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":""}`, 400, "invalid_target"},
	{"POST", "/v1/revocations", `{"user":null}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"tokenId":7}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"tokenId":"a\u0000"}`, 400, "invalid_target"},
	{"POST", "/v1/revocations", `{"connection":["{id}"]}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":1767323045}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":""}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":null}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":"tomorrow"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":"2026-01-02T03:04:05"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":"2000-01-02T03:04:05Z"}`, 400, "invalid_revocation"},
	{"POST", "/v1/revocations", `{"user":"u1","until":"2099-01-02T03:04:05,5Z"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":"2099-01-02T3:04:05Z"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":"2099-01-02T03:04:05+24:00"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":"0001-01-01T00:00:00Z"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","until":"0001-01-01T01:00:00+01:00"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","reason":1}`, 400, "invalid_body"},
	{"POST", "/v1/revocations", `{"user":"u1","reason":"` + long[:124] + `"}`, 400, "invalid_body"},
	{"POST", "/v1/revocations?until=x", `{"user":"u1"}`, 400, "invalid_query"},

	{"PUT", "/v1/connections/{id}/topics/a::b", ``, 400, "invalid_topic"},
	{"PUT", "/v1/connections/%00/topics/a", ``, 400, "invalid_target"},
	{"DELETE", "/v1/connections/{id}/topics/a::b", ``, 400, "invalid_topic"},

	{"GET", "/", ``, 404, "unknown_path"},
	{"GET", "/v1", ``, 404, "unknown_path"},
	{"GET", "/v1/", ``, 404, "unknown_path"},
	{"GET", "/v1/nothing", ``, 404, "unknown_path"},
	{"POST", "/v1/users//messages", message, 404, "unknown_path"},
	{"POST", "/v1/users/../messages", message, 404, "unknown_path"},
	{"POST", "/v1/broadcast/", message, 404, "unknown_path"},
	{"POST", "//v1/broadcast", message, 404, "unknown_path"},
	{"POST", "/v1/topics/a/b/messages", message, 404, "unknown_path"},
	{"POST", "/v2/broadcast", message, 404, "unknown_path"},
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageSize: 200}}, api.Options{})
	id := s.dial(t, "u1").id
	for _, test := range refusedCalls {
		s.make(t, test, id).wantProblem(t, test.status, test.code)
	}
	if s.Connection(id) == nil {
		t.Error("a refused call has disconnected the connection")
	}
}

// make makes a refused call; id is that of a connection.
func (s *server) make(t testing.TB, c refusedCall, id string) answer {
	t.Helper()
	fill := strings.NewReplacer("{id}", id)
	return s.call(t, c.method, fill.Replace(c.path), fill.Replace(c.body))
}

// TestWhatNoOperationLooksAtIsRefused gives each what it does not document.
func TestWhatNoOperationLooksAtIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	d := readDocument(t)
	id := s.dial(t, "u1").id
	for _, o := range d.operations() {
		path := fill(o.path, id)
		if len(d.queryParameters(o)) > 0 {
			s.call(t, o.method, path+"?after=&after=", "").wantProblem(t, http.StatusBadRequest, "invalid_query")
		}
		s.call(t, o.method, path+"?nothing=", bodyOf(o)).wantProblem(t, http.StatusBadRequest, "invalid_query")
		if o.text["requestBody"] != nil {
			continue
		}
		for _, body := range []string{"{}", " "} {
			s.call(t, o.method, path, body).wantProblem(t, http.StatusBadRequest, "unexpected_body")
			chunked := httptest.NewRequest(o.method, path, io.MultiReader(strings.NewReader(body)))
			record(t, s.Service, chunked).wantProblem(t, http.StatusBadRequest, "unexpected_body")
		}
		empty := httptest.NewRequest(o.method, path, io.MultiReader())
		if got := record(t, s.Service, empty); got.status == http.StatusBadRequest {
			t.Errorf("%s refuses an empty body of unknown length: %s", o.name(), got.text)
		}
	}
	if s.Connection(id) == nil {
		t.Error("a refused call has disconnected the connection")
	}
}

// queryParameters returns the names of those that an operation documents.
func (d document) queryParameters(o operation) (names []string) {
	parameters, _ := o.text["parameters"].([]any)
	for _, p := range parameters {
		if parameter := d.resolve(p.(object)); parameter["in"] == "query" {
			names = append(names, parameter["name"].(string))
		}
	}
	return names
}

func TestMethodsThatAPathDoesNotTake(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	for _, test := range []struct{ method, path, allow string }{
		{"GET", "/v1/broadcast", "POST"},
		{"OPTIONS", "/v1/broadcast", "POST"},
		{"PUT", "/v1/batch", "POST"},
		{"PATCH", "/v1/connections/x", "GET, HEAD, DELETE"},
		{"POST", "/v1/connections/x/topics/y", "PUT, DELETE"},
		{"POST", "/v1/connections", "GET, HEAD"},
		{"GET", "/v1/users/u1/connections", "DELETE"},
		{"DELETE", "/openapi.json", "GET, HEAD"},
	} {
		got := s.call(t, test.method, test.path, "").want(t, http.StatusMethodNotAllowed)
		if allow := got.header.Get("Allow"); allow != test.allow {
			t.Errorf("%s %s: Allow is %q, want %q", test.method, test.path, allow, test.allow)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	for mediaType, status := range map[string]int{
		"application/json":                   200,
		"APPLICATION/JSON":                   200,
		"application/json; charset=utf-8":    200,
		"application/json;charset=\"UTF-8\"": 200,
		"application/merge-patch+json":       200,
		"application/json; charset=latin1":   415,
		"application/x-www-form-urlencoded":  415,
		"text/json":                          415,
		"text/plain":                         415,
		"application/jsonx":                  415,
		"application/":                       415,
		"; charset=utf-8":                    415,
	} {
		got := s.call(t, "POST", "/v1/broadcast", message, header{"Content-Type", mediaType})
		if refused := got.json["code"] == "unsupported_media_type"; got.status != status || refused != (status == 415) {
			t.Errorf("%s: %s, want %d", mediaType, got.text, status)
		}
	}
	s.call(t, "POST", "/v1/broadcast", message, header{"Content-Encoding", "gzip"}).
		wantProblem(t, http.StatusUnsupportedMediaType, "unsupported_encoding")
	s.call(t, "DELETE", "/v1/users/u1/connections", "", header{"Content-Type", "text/plain"}).want(t, http.StatusOK)
}

// TestEveryDocumentedStatusIsAnswered makes a request for each; what it answers
// is held against the document as well.
func TestEveryDocumentedStatusIsAnswered(t *testing.T) {
	t.Parallel()
	open := start(t, realtime.Options{Limits: realtime.Limits{Topics: 1}}, api.Options{MaxBody: 100})
	disabled := start(t, realtime.Options{}, api.Options{Keys: []string{}})
	ended := start(t, realtime.Options{}, api.Options{})
	shutdown(t, ended.Service)
	for _, o := range readDocument(t).operations() {
		for _, status := range o.statuses() {
			s, id := open, "AAAAAAAAAAAAAAAAAAAAAA"
			if status < 300 || status == 400 {
				id = open.dial(t, "u1").id
			}
			path, body, headers := fill(o.path, id), bodyOf(o), []header{}
			switch status {
			case 400:
				path, body = spoiled(o, path, body)
			case 401:
				headers = append(headers, header{"Authorization", "Bearer wrong"})
			case 403:
				s = disabled
			case 404:
				body = strings.Replace(body, `"user":"nobody"`, `"connection":"`+id+`"`, 1)
			case 408:
				slowBody(t, open.Service, o, path)
				continue
			case 409:
				id = open.dial(t, "u1").id
				open.call(t, "PUT", "/v1/connections/"+id+"/topics/other", "").want(t, 204)
				path = fill(o.path, id)
			case 413:
				body = strings.Repeat(" ", 64*100+1)
			case 415:
				headers = append(headers, header{"Content-Type", "text/plain"})
			case 501:
				headers = append(headers, header{"Idempotency-Key", "k1"})
			case 503:
				s = ended
			}
			if got := s.call(t, o.method, path, body, headers...); got.status != status {
				t.Errorf("%s: %d, want %d: %s", o.name(), got.status, status, got.text)
			}
		}
	}
}

// bodyOf returns a body that an operation accepts.
func bodyOf(o operation) string {
	body, _ := o.text["requestBody"].(object)
	switch ref, _ := body["$ref"].(string); ref {
	case "#/components/requestBodies/Message":
		return message
	case "#/components/requestBodies/Targets":
		return `{"to":[{"everyone":true}],"message":{"type":"t"}}`
	case "#/components/requestBodies/Batch":
		return `{"messages":[{"to":{"everyone":true},"message":{"type":"t"}}]}`
	case "#/components/requestBodies/CloseOrder":
		return `{"code":4503}`
	case "#/components/requestBodies/Revocation":
		return `{"user":"nobody"}`
	}
	return ""
}

// spoiled puts a mistake where the operation has room for one.
func spoiled(o operation, path, body string) (string, string) {
	switch {
	case body != "":
		return path, `{"a":1,"a":2}`
	case o.method != http.MethodGet && strings.Contains(path, "order:1"):
		return strings.Replace(path, "order:1", "a::b", 1), ""
	}
	return path + "?limit=x", ""
}

// slowBody makes a call whose body is not there in time.
func slowBody(t *testing.T, svc *realtime.Service, o operation, path string) {
	t.Helper()
	late := io.MultiReader(strings.NewReader("{"), failing{os.ErrDeadlineExceeded})
	if got := record(t, svc, httptest.NewRequest(o.method, path, late)); got.status != http.StatusRequestTimeout {
		t.Errorf("%s: %d, want 408: %s", o.name(), got.status, got.text)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// record makes a call without a server between.
func record(t testing.TB, svc *realtime.Service, request *http.Request) answer {
	t.Helper()
	request.Header.Set("Authorization", "Bearer "+key)
	w := httptest.NewRecorder()
	api.New(svc, api.Options{Keys: []string{key}}).ServeHTTP(w, request)
	return readAnswer(t, request, w.Result())
}

func TestABodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	request := httptest.NewRequest(http.MethodPost, "/v1/broadcast", failing{io.ErrUnexpectedEOF})
	record(t, s.Service, request).wantProblem(t, http.StatusBadRequest, "unreadable_body")
}

// brokenBus is a bus whose publishes fail.
func brokenBus(err error) bus.Bus {
	return bustest.Intercept(bus.NewMemory(), func(context.Context, bus.Node, bus.Envelope) (bus.Receipt, error) {
		return bus.Receipt{}, err
	})
}

// TestFailuresAreNotTheCallers shows that what fails inside is answered with 503
// and without its cause.
func TestFailuresAreNotTheCallers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code string
	}{
		{errors.New("dial tcp 192.0.2.1: refused"), "unavailable"},
		{context.DeadlineExceeded, "overloaded"},
		{context.Canceled, "overloaded"},
		{bus.ErrClosed, "shut_down"},
	} {
		s := start(t, realtime.Options{Bus: brokenBus(test.err)}, api.Options{})
		got := s.call(t, "POST", "/v1/broadcast", message)
		got.wantProblem(t, http.StatusServiceUnavailable, test.code)
		if after := got.header.Get("Retry-After"); after != "1" || strings.Contains(got.text, "192.0.2.1") {
			t.Errorf("%v: Retry-After %q, %s", test.err, after, got.text)
		}
		const entry = `{"to":{"user":"u1"},"message":{"type":"t"}}`
		s.call(t, "POST", "/v1/batch", `{"messages":[`+entry+`,`+entry+`]}`).wantProblem(t, http.StatusServiceUnavailable, test.code)
		batch := s.call(t, "POST", "/v1/batch", `{"messages":[{},`+entry+`]}`).want(t, http.StatusOK)
		failure := batch.json["results"].([]any)[1].(object)["error"].(object)
		if failure["status"] != 503.0 || failure["code"] != test.code || failure["detail"] != got.json["detail"] {
			t.Errorf("%v: a batch answers %v", test.err, failure)
		}
	}
}

func TestARefusalSaysItsTitle(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	got := s.call(t, "POST", "/v1/broadcast", `{}`).want(t, http.StatusBadRequest)
	names := []string{}
	for name := range got.json {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"code", "detail", "status", "title", "type"}) || got.json["title"] != "Bad Request" {
		t.Errorf("the problem is %s", got.text)
	}
}
