package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
)

// wantTopics fails the test unless the clients are subscribed to these topics.
func (s *server) wantTopics(t *testing.T, step string, want map[*client][]string) {
	t.Helper()
	for c, topics := range want {
		got := s.Connection(c.id).Topics()
		slices.Sort(got)
		if !slices.Equal(got, topics) {
			t.Errorf("after %s the topics of %s are %q, want %q", step, c.id, got, topics)
		}
	}
}

func TestEveryAddressIsSubscribed(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	a, b, c := s.dial(t, "u1", "admin"), s.dial(t, "u1"), s.dial(t, "u2", "admin")
	topics := map[*client][]string{a: nil, b: nil, c: nil}
	for i, test := range []struct {
		address string
		of      []*client
	}{
		{"/v1/users/u1", []*client{a, b}},
		{"/v1/users/nobody", nil},
		{"/v1/roles/admin", []*client{a, c}},
		{"/v1/roles/none", nil},
		{"/v1/topics/t0", []*client{a, b}},
		{"/v1/topics/none", nil},
		{"/v1/everyone", []*client{a, b, c}},
	} {
		path, answer := fmt.Sprintf("%s/topics/t%d", test.address, i), fmt.Sprintf(`{"recipients":%d}`, len(test.of))
		s.call(t, "PUT", path, "").wantText(t, http.StatusOK, answer)
		for _, client := range test.of {
			topics[client] = append(topics[client], fmt.Sprint("t", i))
		}
		s.wantTopics(t, "PUT "+path, topics)
		s.call(t, "PUT", path, "").wantText(t, http.StatusOK, answer)
		s.wantTopics(t, "PUT "+path+" again", topics)
	}
	for i, test := range []struct {
		path       string
		recipients int
		a, b, c    []string
	}{
		{"/v1/users/u1/topics/t0", 2, []string{"t2", "t4", "t6"}, []string{"t4", "t6"}, []string{"t2", "t6"}},
		{"/v1/users/u1/topics/t0", 2, []string{"t2", "t4", "t6"}, []string{"t4", "t6"}, []string{"t2", "t6"}},
		{"/v1/topics/t2/topics/t2", 2, []string{"t4", "t6"}, []string{"t4", "t6"}, []string{"t6"}},
		{"/v1/roles/admin/topics/t6", 2, []string{"t4"}, []string{"t4", "t6"}, nil},
		{"/v1/everyone/topics/t6", 3, []string{"t4"}, []string{"t4"}, nil},
		{"/v1/roles/none/topics", 0, []string{"t4"}, []string{"t4"}, nil},
		{"/v1/roles/admin/topics", 2, nil, []string{"t4"}, nil},
		{"/v1/topics/t4/topics", 1, nil, nil, nil},
		{"/v1/topics/t4/topics", 0, nil, nil, nil},
		{"/v1/users/u1/topics", 2, nil, nil, nil},
		{"/v1/everyone/topics", 3, nil, nil, nil},
	} {
		s.call(t, "DELETE", test.path, "").wantText(t, http.StatusOK, fmt.Sprintf(`{"recipients":%d}`, test.recipients))
		s.wantTopics(t, fmt.Sprintf("DELETE %s, number %d,", test.path, i), map[*client][]string{a: test.a, b: test.b, c: test.c})
	}
}

func TestAConnectionIsUnsubscribedFromAll(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	a, b := s.dial(t, "u1"), s.dial(t, "u1")
	for _, topic := range []string{"x", "y"} {
		s.call(t, "PUT", "/v1/users/u1/topics/"+topic, "").want(t, http.StatusOK)
	}
	for range 2 {
		s.call(t, "DELETE", "/v1/connections/"+a.id+"/topics", "").want(t, http.StatusNoContent)
		s.wantTopics(t, "DELETE", map[*client][]string{a: nil, b: {"x", "y"}})
	}
	s.call(t, "DELETE", "/v1/connections/AAAAAAAAAAAAAAAAAAAAAA/topics", "").
		wantProblem(t, http.StatusNotFound, "unknown_connection")
}

// TestAFullConnectionIsLeftOut: the others are subscribed nevertheless.
func TestAFullConnectionIsLeftOut(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Limits: realtime.Limits{Topics: 1}}, api.Options{})
	full, free := s.dial(t, "u1"), s.dial(t, "u1")
	s.call(t, "PUT", "/v1/connections/"+full.id+"/topics/x", "").want(t, http.StatusNoContent)
	s.call(t, "PUT", "/v1/users/u1/topics/y", "").wantText(t, http.StatusOK, `{"recipients":1}`)
	s.wantTopics(t, "PUT", map[*client][]string{full: {"x"}, free: {"y"}})
}

func TestEveryAddressIsDisconnected(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	for _, test := range []struct {
		address string
		want    int // of the two connections
	}{
		{"/v1/roles/admin", 1},
		{"/v1/roles/none", 0},
		{"/v1/topics/x", 1},
		{"/v1/topics/none", 0},
		{"/v1/everyone", 2},
	} {
		a, b := s.dial(t, "u1", "admin"), s.dial(t, "u2")
		s.call(t, "PUT", "/v1/connections/"+a.id+"/topics/x", "").want(t, http.StatusNoContent)
		s.call(t, "DELETE", test.address+"/connections", `{"code":4400,"reason":"bye"}`).
			wantText(t, http.StatusOK, fmt.Sprintf(`{"disconnected":%d}`, test.want))
		for i, c := range []*client{a, b} {
			if i < test.want {
				if code, reason := c.closed(); code != 4400 || reason != "bye" {
					t.Errorf("%s: closed with %d %q", test.address, code, reason)
				}
			} else if s.Connection(c.id) == nil {
				t.Errorf("%s: closed another connection", test.address)
			}
		}
		s.call(t, "DELETE", "/v1/everyone/connections", "").wantText(t, http.StatusOK, fmt.Sprintf(`{"disconnected":%d}`, 2-test.want))
	}
	// What leaves out a name leads to everyone by no slip.
	for _, path := range []string{"/v1/connections", "/v1/connections/", "/v1/users//connections", "/v1/everyone"} {
		if got := s.call(t, "DELETE", path, ""); got.status != http.StatusNotFound && got.status != http.StatusMethodNotAllowed {
			t.Errorf("DELETE %s: %d", path, got.status)
		}
	}
}

func TestNamesOfAddressesAreChecked(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	s.dial(t, "u1")
	for path, code := range map[string]string{
		"/v1/users/%00/topics/a": "invalid_target", "/v1/users/%00/topics": "invalid_target", "/v1/roles/%00/connections": "invalid_target",
		"/v1/roles/%00/topics": "invalid_target", "/v1/topics/a*/connections": "invalid_topic", "/v1/topics/a*/topics": "invalid_topic",
		"/v1/topics/a*/topics/b": "invalid_topic", "/v1/topics/b/topics/a*": "invalid_topic", "/v1/everyone/topics/a*": "invalid_topic",
		"/v1/connections/%00/topics": "invalid_target",
	} {
		s.call(t, "DELETE", path, "").wantProblem(t, http.StatusBadRequest, code)
	}
	if n := s.ConnectionCount(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}
