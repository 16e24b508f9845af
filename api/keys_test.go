package api_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{Keys: []string{"first", "", "second", "first"}})
	for _, test := range []struct {
		authorization []string
		status        int
		challenge     string
		code          any
	}{
		{[]string{"Bearer first"}, 200, "", nil},
		{[]string{"bearer second"}, 200, "", nil},
		{[]string{"Bearer  first"}, 200, "", nil},
		{[]string{"Bearer     second"}, 200, "", nil},
		{nil, 401, "Bearer", "missing_key"},
		{[]string{""}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Bearer"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Bearer "}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Bearer third"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Bearer firs"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Bearer First"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Bearer firstsecond"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Bearer\tfirst"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Bearer \tfirst"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"first"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Basic first"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Basic a", "Bearer first"}, 200, "", nil},
		{[]string{"Basic a", "Bearer wrong"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
		{[]string{"Bearer first", "Bearer first"}, 401, `Bearer error="invalid_token"`, "invalid_key"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.http.URL+"/v1/topics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header["Authorization"] = test.authorization
		response, err := s.http.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got := readAnswer(t, request, response)
		if challenge := got.header.Get("WWW-Authenticate"); got.status != test.status || challenge != test.challenge || got.json["code"] != test.code {
			t.Errorf("%q: %s %q, want %d %v %q", test.authorization, got.text, challenge, test.status, test.code, test.challenge)
		}
	}
	for _, query := range []string{"?key=first", "?api_key=first", "?token=first", "?access_token=first"} {
		s.call(t, "POST", "/v1/broadcast"+query, message, header{"Authorization", ""}).want(t, http.StatusUnauthorized)
	}
}

// TestWithoutAKeyTheAPIIsDisabled is about keys that were meant to be set.
func TestWithoutAKeyTheAPIIsDisabled(t *testing.T) {
	t.Parallel()
	for _, keys := range [][]string{{}, {""}, {"", " \n"}} {
		s := start(t, realtime.Options{}, api.Options{Keys: keys})
		for _, authorization := range []string{"Bearer ", "Bearer", "Bearer " + key, ""} {
			s.call(t, "GET", "/v1/topics", "", header{"Authorization", authorization}).
				wantProblem(t, http.StatusForbidden, "api_disabled")
		}
	}
}

// A key that can be guessed is warned about, and not shown.
func TestShortKeys(t *testing.T) {
	t.Parallel()
	svc, err := realtime.New(realtime.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, svc) })
	for keys, want := range map[string]string{
		"0123456789abcdef":                      "",
		" ":                                     "",
		"0123456789abcde":                       `short=1`,
		"hush-one,0123456789abcdef012,hush-two": `short=2`,
	} {
		var log strings.Builder
		api.New(svc, api.Options{Keys: strings.Split(keys, ","), Log: slog.New(slog.NewTextHandler(&log, nil))})
		if got := log.String(); (want == "") != (got == "") || !strings.Contains(got, want) || strings.Contains(got, "hush") {
			t.Errorf("%q: logged %q, want %q", keys, got, want)
		}
	}
}
