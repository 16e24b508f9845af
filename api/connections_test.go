package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/auth"
)

func TestAConnectionIsDescribed(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	c := s.dialClaims(t, map[string]any{
		"sub": "u1", "roles": []string{"b", "a"}, "email": "u1@example.com", "exp": expires.Unix(),
	})
	for _, topic := range []string{"z", "order:1"} {
		s.call(t, "PUT", "/v1/connections/"+c.id+"/topics/"+topic, "").want(t, http.StatusNoContent)
	}
	got := s.call(t, "GET", "/v1/connections/"+c.id, "").want(t, http.StatusOK).json
	for name, want := range map[string]any{
		"id": c.id, "userId": "u1", "roles": []any{"b", "a"}, "topics": []any{"order:1", "z"},
		"expiresAt": expires.Format(time.RFC3339),
	} {
		if fmt.Sprint(got[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	metadata := got["metadata"].(object)
	if metadata["email"] != "u1@example.com" || metadata["connectedAt"] != got["createdAt"] {
		t.Errorf("the metadata is %v, createdAt %v", metadata, got["createdAt"])
	}
	created, err := time.Parse(time.RFC3339Nano, got["createdAt"].(string))
	if err != nil || time.Since(created).Abs() > time.Minute || created.Location() != time.UTC {
		t.Errorf("createdAt is %v (%v)", got["createdAt"], err)
	}
	s.call(t, "GET", "/v1/connections/AAAAAAAAAAAAAAAAAAAAAA", "").wantProblem(t, http.StatusNotFound, "unknown_connection")
	s.call(t, "GET", "/v1/connections/x", "").wantProblem(t, http.StatusNotFound, "unknown_connection")
}

// TestAConnectionThatNeverExpires covers what no token can bring: no expiry, and
// one that has no form in RFC 3339.
func TestAConnectionThatNeverExpires(t *testing.T) {
	t.Parallel()
	for _, expires := range []time.Time{{}, time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		s := start(t, realtime.Options{Verifier: fixed{UserID: "u1", ExpiresAt: expires}}, api.Options{})
		c := s.dial(t, "any")
		got := s.call(t, "GET", "/v1/connections/"+c.id, "").want(t, http.StatusOK)
		if strings.Contains(got.text, "expiresAt") || !strings.Contains(got.text, `"roles":[],"topics":[]`) {
			t.Errorf("expires %v: %s", expires, got.text)
		}
	}
}

func TestConnectionsAreFiltered(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	a, b, c := s.dial(t, "u1", "admin"), s.dial(t, "u1"), s.dial(t, "u+2", "admin")
	for _, client := range []*client{a, b} {
		s.call(t, "PUT", "/v1/connections/"+client.id+"/topics/t", "").want(t, http.StatusNoContent)
	}
	for _, test := range []struct {
		query string
		want  []string
	}{
		{"", []string{a.id, b.id, c.id}},
		{"?user=u1", []string{a.id, b.id}},
		{"?user=u%2B2", []string{c.id}},
		{"?user=nobody", nil},
		{"?role=admin", []string{a.id, c.id}},
		{"?role=none", nil},
		{"?topic=t", []string{a.id, b.id}},
		{"?topic=none", nil},
		{"?user=u1&role=admin", []string{a.id}},
		{"?user=u1&topic=t&role=admin", []string{a.id}},
		{"?role=admin&topic=t", []string{a.id}},
		{"?user=u%2B2&topic=t", nil},
	} {
		got := s.call(t, "GET", "/v1/connections"+test.query, "").want(t, http.StatusOK)
		slices.Sort(test.want)
		if ids := idsOf(got); !slices.Equal(ids, test.want) || got.json["total"] != float64(len(test.want)) {
			t.Errorf("%s: %v of %v, want %v", test.query, ids, got.json["total"], test.want)
		}
	}
}

func idsOf(a answer) (ids []string) {
	for _, c := range a.json["connections"].([]any) {
		ids = append(ids, c.(object)["id"].(string))
	}
	return ids
}

func TestConnectionsComeInPages(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	var want []string
	for range 7 {
		want = append(want, s.dial(t, "u1").id)
	}
	slices.Sort(want)
	var got []string
	var sizes []int
	for after := ""; ; {
		page := s.call(t, "GET", "/v1/connections?limit=3&after="+after, "").want(t, http.StatusOK)
		ids := idsOf(page)
		got, sizes = append(got, ids...), append(sizes, len(ids))
		if page.json["total"] != 7.0 {
			t.Errorf("total is %v", page.json["total"])
		}
		next, more := page.json["next"].(string)
		if !more {
			break
		}
		after = next
	}
	if !slices.Equal(got, want) || !slices.Equal(sizes, []int{3, 3, 1}) {
		t.Errorf("pages of %v: %v, want %v", sizes, got, want)
	}
	if full := s.call(t, "GET", "/v1/connections?limit=7", ""); full.json["next"] != nil {
		t.Errorf("a full last page has a next one: %v", full.json["next"])
	}
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	for _, test := range []struct {
		body   string
		code   int
		reason string
	}{
		{``, 4503, ""},
		{`{}`, 4503, ""},
		{`{"reason":"signed out"}`, 4503, "signed out"},
		{`{"code":4400}`, 4400, ""},
		{`{"code":1000,"reason":"` + strings.Repeat("é", 61) + `."}`, 1000, strings.Repeat("é", 61) + "."},
	} {
		for _, byUser := range []bool{false, true} {
			c := s.dial(t, "u1")
			path := "/v1/connections/" + c.id
			if byUser {
				path = "/v1/users/u1/connections"
			}
			s.call(t, "DELETE", path, test.body).wantText(t, http.StatusOK, `{"disconnected":1}`)
			s.call(t, "GET", "/v1/connections/"+c.id, "").want(t, http.StatusNotFound)
			if code, reason := c.closed(); code != test.code || reason != test.reason {
				t.Errorf("%s: closed with %d %q", test.body, code, reason)
			}
		}
	}
	s.call(t, "DELETE", "/v1/connections/AAAAAAAAAAAAAAAAAAAAAA", "").wantProblem(t, http.StatusNotFound, "unknown_connection")
	s.call(t, "DELETE", "/v1/users/u1/connections", "").wantText(t, http.StatusOK, `{"disconnected":0}`)
}

// TestCloseCodes holds what is accepted, the document and the refusal's text
// against one list.
func TestCloseCodes(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	d := readDocument(t)
	allowed := []int{1000, 1001, 1008, 1011, 1012, 1013, 4000, 4001, 4499, 4500, 4503, 4999}
	refused := []int{-1, 0, 1, 999, 1002, 1003, 1004, 1005, 1006, 1007, 1009, 1010, 1014, 1015, 1016, 2999, 3000, 3999, 5000, 65535, 69536}
	for _, code := range slices.Concat(allowed, refused) {
		body := fmt.Sprintf(`{"code":%d}`, code)
		err := d.validate("order", object{"$ref": "#/components/schemas/CloseOrder"}, object{"code": float64(code)})
		if documented := err == nil; documented != slices.Contains(allowed, code) {
			t.Errorf("%d is documented: %v", code, documented)
		}
		for _, path := range []string{"/v1/users/nobody/connections", "/v1/connections/" + s.dial(t, "u1").id} {
			got := s.call(t, "DELETE", path, body)
			if slices.Contains(allowed, code) {
				got.want(t, http.StatusOK)
				continue
			}
			got.wantProblem(t, http.StatusBadRequest, "invalid_body")
		}
	}
}

func TestDisconnectAUserEverywhere(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	a, b, other := s.dial(t, "u1"), s.dial(t, "u1"), s.dial(t, "u2")
	s.call(t, "DELETE", "/v1/users/u1/connections", "").wantText(t, http.StatusOK, `{"disconnected":2}`)
	for _, c := range []*client{a, b} {
		if code, _ := c.closed(); code != 4503 {
			t.Errorf("closed with %d", code)
		}
	}
	if n := s.ConnectionCount(); n != 1 {
		t.Errorf("%d connections are left, want that of %s", n, other.id)
	}
}

func TestSubscribeAndUnsubscribe(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Limits: realtime.Limits{Topics: 2}}, api.Options{})
	c := s.dial(t, "u1")
	topics := "/v1/connections/" + c.id + "/topics/"
	for _, step := range []struct {
		method, path string
		status       int
	}{
		{"PUT", topics + "a", http.StatusNoContent},
		{"PUT", topics + "a", http.StatusNoContent},
		{"PUT", topics + "b", http.StatusNoContent},
		{"PUT", topics + "c", http.StatusConflict},
		{"PUT", topics + "b", http.StatusNoContent},
		{"DELETE", topics + "a", http.StatusNoContent},
		{"DELETE", topics + "a", http.StatusNoContent},
		{"PUT", topics + "c", http.StatusNoContent},
		{"PUT", "/v1/connections/AAAAAAAAAAAAAAAAAAAAAA/topics/a", http.StatusNotFound},
		{"DELETE", "/v1/connections/AAAAAAAAAAAAAAAAAAAAAA/topics/a", http.StatusNotFound},
	} {
		s.call(t, step.method, step.path, "").want(t, step.status)
	}
	s.call(t, "PUT", topics+"d", "").wantProblem(t, http.StatusConflict, "topic_limit")
	if got := s.call(t, "GET", "/v1/connections/"+c.id, "").json["topics"]; fmt.Sprint(got) != "[b c]" {
		t.Errorf("the topics are %v", got)
	}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	a, b := s.dial(t, "u1"), s.dial(t, "u2")
	for _, topic := range []string{"order:1", "order:2", "news", "orders"} {
		s.call(t, "PUT", "/v1/connections/"+a.id+"/topics/"+topic, "").want(t, http.StatusNoContent)
	}
	s.call(t, "PUT", "/v1/connections/"+b.id+"/topics/order:1", "").want(t, http.StatusNoContent)
	const first, second, news, orders = `{"topic":"order:1","subscribers":2}`, `{"topic":"order:2","subscribers":1}`,
		`{"topic":"news","subscribers":1}`, `{"topic":"orders","subscribers":1}`
	for query, want := range map[string]string{
		"":                              `{"topics":[` + news + `,` + first + `,` + second + `,` + orders + `],"total":4}`,
		"?prefix=order:":                `{"topics":[` + first + `,` + second + `],"total":2}`,
		"?prefix=none":                  `{"topics":[],"total":0}`,
		"?limit=1":                      `{"topics":[` + news + `],"total":4,"next":"news"}`,
		"?limit=2&after=news":           `{"topics":[` + first + `,` + second + `],"total":4,"next":"order:2"}`,
		"?prefix=order&after=order%3A2": `{"topics":[` + orders + `],"total":3}`,
	} {
		s.call(t, "GET", "/v1/topics"+query, "").wantText(t, http.StatusOK, want)
	}
	ids := []string{a.id, b.id}
	slices.Sort(ids)
	s.call(t, "GET", "/v1/topics/order:1/subscribers", "").
		wantText(t, http.StatusOK, `{"subscribers":["`+strings.Join(ids, `","`)+`"],"total":2}`)
	s.call(t, "GET", "/v1/topics/none/subscribers", "").wantText(t, http.StatusOK, `{"subscribers":[],"total":0}`)
}

func TestSubscribersComeInPages(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	var ids []string
	for range 5 {
		id := s.dial(t, "u1").id
		s.call(t, "PUT", "/v1/connections/"+id+"/topics/a", "").want(t, http.StatusNoContent)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, test := range []struct {
		query      string
		first, end int
	}{
		{"", 0, 5},
		{"?limit=5", 0, 5},
		{"?limit=2", 0, 2},
		{"?limit=2&after=" + ids[1], 2, 4},
		{"?limit=2&after=" + ids[3], 4, 5},
		{"?after=" + ids[2][:21], 2, 5}, // of a connection that has gone
		{"?after=" + ids[4], 5, 5},
	} {
		want, _ := json.Marshal(ids[test.first:test.end])
		text := `{"subscribers":` + string(want) + `,"total":5`
		if test.end < 5 {
			text += `,"next":"` + ids[test.end-1] + `"`
		}
		s.call(t, "GET", "/v1/topics/a/subscribers"+test.query, "").wantText(t, http.StatusOK, text+"}")
	}
}

// TestAPageHas100EntriesUnlessToldOtherwise is for all lists.
func TestAPageHas100EntriesUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	for i := range 101 {
		id := s.dial(t, "u1").id
		for _, topic := range []string{"a", fmt.Sprint("t", i)} {
			s.call(t, "PUT", "/v1/connections/"+id+"/topics/"+topic, "").want(t, http.StatusNoContent)
		}
	}
	for path, list := range map[string]string{
		"/v1/connections?": "connections", "/v1/topics?prefix=t": "topics", "/v1/topics/a/subscribers?": "subscribers",
	} {
		for query, want := range map[string]int{"": 100, "&limit=1000": 101} {
			got := s.call(t, "GET", path+query, "").want(t, http.StatusOK).json
			if n := len(got[list].([]any)); n != want || got["total"] != 101.0 || (got["next"] == nil) != (want == 101) {
				t.Errorf("%s%s: %d of %v, next %v", path, query, n, got["total"], got["next"])
			}
		}
	}
}

// fixed is a verifier that takes any token for one identity.
type fixed auth.Identity

func (f fixed) Verify(context.Context, string) (*auth.Identity, error) {
	return (*auth.Identity)(&f), nil
}
