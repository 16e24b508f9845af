package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
)

func asCloseError(err error, target *websocket.CloseError) bool { return errors.As(err, target) }

func TestEveryAddressReachesItsClients(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	a, b, c := s.dial(t, "u1", "admin"), s.dial(t, "u1"), s.dial(t, "u2", "admin")
	for _, client := range []*client{a, c} {
		s.call(t, "PUT", "/v1/connections/"+client.id+"/topics/order:1", "").want(t, http.StatusNoContent)
	}
	for _, test := range []struct {
		path string
		want []*client
	}{
		{"/v1/broadcast", []*client{a, b, c}},
		{"/v1/everyone/messages", []*client{a, b, c}},
		{"/v1/users/u1/messages", []*client{a, b}},
		{"/v1/users/nobody/messages", nil},
		{"/v1/roles/admin/messages", []*client{a, c}},
		{"/v1/roles/none/messages", nil},
		{"/v1/connections/" + b.id + "/messages", []*client{b}},
		{"/v1/connections/AAAAAAAAAAAAAAAAAAAAAA/messages", nil},
		{"/v1/connections/unheard-of/messages", nil},
		{"/v1/topics/order:1/messages", []*client{a, c}},
		{"/v1/topics/order%3A1/messages", []*client{a, c}},
		{"/v1/topics/order:2/messages", nil},
	} {
		s.call(t, "POST", test.path, fmt.Sprintf(`{"type":"t","payload":%q}`, test.path)).
			wantText(t, http.StatusOK, fmt.Sprintf(`{"recipients":%d}`, len(test.want)))
		for _, client := range test.want {
			if m := client.read(); m["payload"] != test.path {
				t.Errorf("after %s a client read %v", test.path, m)
			}
		}
	}
}

func TestAMessageTravelsAsItIs(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	c := s.dial(t, "u1")
	s.call(t, "POST", "/v1/users/u1/messages",
		` {"content":"<b>\u00e9</b>","type":"note","nested":{"id":1,"$x":[null,1.50]},"timestamp":"yesterday"} `,
		header{"Content-Type", "application/json; charset=UTF-8"}).want(t, http.StatusOK)
	_, data, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"content":"<b>\u00e9</b>","type":"note","nested":{"id":1,"$x":[null,1.50]},"timestamp":"yesterday"}`; string(data) != want {
		t.Errorf("the client read %s, want %s", data, want)
	}
}

func TestNamesInPathsMayBeAnything(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	for _, name := range []string{
		"order:123", "a/b", "a//b", "/a/", "..", ".", "a b", "a+b", "100%", "%2F", "ü—日本", "q?x=1#y", "a;b,c", "messages", "{user}", `"\`,
		strings.Repeat("x", 255),
	} {
		c := s.dial(t, name, name)
		escaped := strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
		s.call(t, "PUT", "/v1/connections/"+c.id+"/topics/"+escaped, "").want(t, http.StatusNoContent)
		for _, kind := range []string{"users", "roles", "topics"} {
			s.call(t, "POST", "/v1/"+kind+"/"+escaped+"/messages", `{"type":"t","kind":"`+kind+`"}`).
				wantText(t, http.StatusOK, `{"recipients":1}`)
			m := c.read()
			if m["kind"] != kind || kind == "topics" && m["topic"] != name {
				t.Errorf("%q: the client read %v", name, m)
			}
		}
		if got := s.call(t, "GET", "/v1/topics/"+escaped+"/subscribers", "").want(t, http.StatusOK); got.json["total"] != 1.0 {
			t.Errorf("%q: subscribers %s", name, got.text)
		}
		s.call(t, "DELETE", "/v1/users/"+escaped+"/connections", "").wantText(t, http.StatusOK, `{"disconnected":1}`)
	}
}

// TestNamesThatGetLostInPaths shows which paths lead nowhere, and the way round.
func TestNamesThatGetLostInPaths(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	for name, written := range map[string]string{".": ".", "..": "..", "/": "%2F"} {
		c := s.dial(t, name, name)
		s.call(t, "POST", "/v1/users/"+written+"/messages", message).wantProblem(t, http.StatusNotFound, "unknown_path")
		s.call(t, "POST", "/v1/batch", fmt.Sprintf(
			`{"messages":[{"to":{"user":%q},"message":{"type":"t"}},{"to":{"role":%q},"message":{"type":"t"}}]}`, name, name)).
			wantText(t, http.StatusOK, `{"results":[{"recipients":1},{"recipients":1}]}`)
		found := s.call(t, "GET", "/v1/connections?user="+url.QueryEscape(name), "").want(t, http.StatusOK)
		if ids := idsOf(found); len(ids) != 1 || ids[0] != c.id {
			t.Errorf("%q: found %v, want %s", name, ids, c.id)
		}
		s.call(t, "DELETE", "/v1/connections/"+c.id, "").wantText(t, http.StatusOK, `{"disconnected":1}`)
	}
}

func TestMessagesOfOneCallerArriveInOrder(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	c := s.dial(t, "u1")
	for i := range 100 {
		s.call(t, "POST", "/v1/users/u1/messages", fmt.Sprintf(`{"type":"t","n":%d}`, i)).want(t, http.StatusOK)
	}
	for i := range 100 {
		if m := c.read(); m["n"] != float64(i) {
			t.Fatalf("message %d arrived as number %d", int(m["n"].(float64)), i)
		}
	}
}

// TestCallersAtTheSameTime lets many callers send, subscribe and list at once:
// every client gets every message once.
func TestCallersAtTheSameTime(t *testing.T) {
	t.Parallel()
	const clients, callers, messages = 4, 8, 25
	s := start(t, realtime.Options{}, api.Options{})
	var all []*client
	for i := range clients {
		all = append(all, s.dial(t, fmt.Sprint("u", i), "admin"))
	}
	var calls, reads sync.WaitGroup
	for i := range callers {
		calls.Go(func() {
			for n := range messages {
				s.call(t, "POST", "/v1/roles/admin/messages", fmt.Sprintf(`{"type":"t","n":"%d-%d"}`, i, n)).
					wantText(t, http.StatusOK, `{"recipients":4}`)
				topic := fmt.Sprintf("/v1/connections/%s/topics/t%d", all[n%clients].id, i)
				s.call(t, "PUT", topic, "").want(t, http.StatusNoContent)
				s.call(t, "GET", "/v1/connections?role=admin", "").want(t, http.StatusOK)
				s.call(t, "DELETE", topic, "").want(t, http.StatusNoContent)
			}
		})
	}
	for _, c := range all {
		reads.Go(func() {
			seen := map[string]int{}
			for range callers * messages {
				seen[c.read()["n"].(string)]++
			}
			if len(seen) != callers*messages {
				t.Errorf("a client got %d different messages, want %d", len(seen), callers*messages)
			}
		})
	}
	calls.Wait()
	reads.Wait()
	if n := s.SubscriptionCount(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}
