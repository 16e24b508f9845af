package server

import (
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
)

func TestAdminBeyondLoopback(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_API_KEY="+apiKey+","+otherKey, "REALTIME_ADMIN_LISTEN=0.0.0.0:0")
	_, port, err := net.SplitHostPort(s.admin.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, authorization string
		want                int
	}{
		{"/health", "", 200},
		{"/ready", "", 200},
		{"/metrics", "", 401},
		{"/metrics", "Bearer three", 401},
		{"/metrics", "Bearer ", 401},
		{"/metrics", "Bearer", 401},
		{"/metrics", "Basic " + apiKey, 401},
		{"/metrics", apiKey, 401},
		{"/metrics", "Bearer " + apiKey, 200},
		{"/metrics", "bearer " + otherKey, 200},
		{"/metrics", "Bearer  " + otherKey, 200},
		{"/debug/pprof/", "", 401},
		{"/debug/pprof/cmdline", "", 401},
		{"/debug/pprof/cmdline", "Bearer " + otherKey, 200},
		{"/debug/pprof/heap", "", 401},
		{"/nothing", "", 401},
		{"/nothing", "Bearer " + apiKey, 404},
	} {
		r := request(t, "GET", "http://127.0.0.1:"+port+test.path, "")
		if test.authorization != "" {
			r.Header.Set("Authorization", test.authorization)
		}
		r.Host = "metrics.example" // any name may be given to such a machine
		response, _ := s.do(r)
		if response.StatusCode != test.want {
			t.Errorf("%s with %q: %d, want %d", test.path, test.authorization, response.StatusCode, test.want)
		}
		if challenge := response.Header.Get("WWW-Authenticate"); test.want == 401 && !strings.HasPrefix(challenge, "Bearer") {
			t.Errorf("%s with %q: the challenge is %q", test.path, test.authorization, challenge)
		}
	}
}

func TestAdminOnLoopback(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret)
	for host, want := range map[string]int{
		"": 200, "localhost": 200, "LocalHost:1": 200, "[::1]:1": 200,
		"evil.example": 403, "localhost.evil.example": 403, "192.168.1.1": 403,
	} {
		for _, path := range []string{"/metrics", "/debug/pprof/", "/health"} {
			r := request(t, "GET", s.admin.url()+path, "")
			r.Host = host
			if response, _ := s.do(r); response.StatusCode != want {
				t.Errorf("%s of the host %q: %d, want %d", path, host, response.StatusCode, want)
			}
		}
	}
}

// A page of another site can have a browser ask for a profile, although it does
// not see the answer.
func TestAdminRefusesOtherSites(t *testing.T) {
	t.Parallel()
	local := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_API_KEY="+apiKey)
	beyond := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_API_KEY="+apiKey, "REALTIME_ADMIN_LISTEN=0.0.0.0:0")
	_, port, err := net.SplitHostPort(beyond.admin.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{local.admin.url(), "http://127.0.0.1:" + port} {
		for _, test := range []struct {
			path string
			site []string
			want int
		}{
			{"/metrics", nil, 200},
			{"/metrics", []string{"none"}, 200},
			{"/metrics", []string{"same-origin"}, 200},
			{"/metrics", []string{"same-site"}, 403},
			{"/metrics", []string{"cross-site"}, 403},
			{"/metrics", []string{"Cross-Site"}, 403},
			{"/metrics", []string{""}, 403},
			{"/metrics", []string{"none", "cross-site"}, 403},
			{"/debug/pprof/", []string{"cross-site"}, 403},
			{"/debug/pprof/cmdline", []string{"same-site"}, 403},
			{"/debug/pprof/cmdline", []string{"same-origin"}, 200},
			{"/debug/pprof/profile?seconds=30", []string{"cross-site"}, 403},
			{"/debug/pprof/trace?seconds=30", []string{"cross-site"}, 403},
			{"/health", []string{"cross-site"}, 200},
			{"/ready", []string{"cross-site"}, 200},
		} {
			r := request(t, "GET", url+test.path, "", "Authorization", "Bearer "+apiKey)
			r.Header["Sec-Fetch-Site"] = test.site
			if response, _ := local.do(r); response.StatusCode != test.want {
				t.Errorf("%s%s of the site %q: %d, want %d", url, test.path, test.site, response.StatusCode, test.want)
			}
		}
	}
}

func TestBannerHoldsRequiredRoles(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_DEV=1", "REALTIME_REQUIRED_ROLES=operator,user,editor", "REALTIME_REQUIRED_PERMISSIONS=watch")
	var banner strings.Builder
	if err := s.WriteBanner(&banner); err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`/#token=(\S+)`).FindStringSubmatch(banner.String())
	if token == nil {
		t.Fatalf("the banner has no token:\n%s", banner.String())
	}
	conn, hello := connect(t, s.publicURL(), token[1], s.publicURL())
	defer func() { _ = conn.CloseNow() }()
	if got := fmt.Sprint(hello["roles"]); got != "[user operator editor]" {
		t.Errorf("the roles are %s", got)
	}
	_, body := s.do(request(t, "POST", s.publicURL()+"/dev/session", `{"user":"alice","roles":["user"]}`, "Content-Type", "application/json"))
	var session struct{ Token string }
	if err := json.Unmarshal([]byte(body), &session); err != nil {
		t.Fatal(err)
	}
	again, hello := connect(t, s.publicURL(), session.Token, s.publicURL())
	defer func() { _ = again.CloseNow() }()
	if hello["userId"] != "alice" {
		t.Errorf("the page is connected as %v", hello["userId"])
	}
}
