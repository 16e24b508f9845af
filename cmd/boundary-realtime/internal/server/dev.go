package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/page"
	"boundary-app.org/realtime/wire"
)

// devMode gives tokens to whoever asks on this machine.
type devMode struct {
	secret []byte
	apiKey string

	// of every token: what the configuration asks for
	claims map[string]any
	roles  []string
	names  config.ClaimNames
}

// newDevMode makes a secret to sign tokens with and an API key. It takes none
// from the configuration: they would count elsewhere, and it shows its own.
func newDevMode(cfg *config.Config) *devMode {
	d := &devMode{
		secret: []byte(rand.Text() + rand.Text()),
		apiKey: "dev-" + rand.Text(),
		claims: map[string]any{},
		roles:  cfg.Access.RequiredRoles,
		names:  cfg.JWT.Claims,
	}
	d.claim("iss", cfg.JWT.Issuer)
	d.claim("aud", cfg.JWT.Audience)
	if permissions := cfg.Access.RequiredPermissions; len(permissions) > 0 {
		d.claims[d.names.Permissions] = permissions
	}
	return d
}

func (d *devMode) claim(name, value string) {
	if value != "" {
		d.claims[name] = value
	}
}

// tokenLife is a working day and a bit.
const tokenLife = 12 * time.Hour

// token returns a token for a user with these roles, and the required ones:
// without them it would open nothing.
func (d *devMode) token(user string, roles []string, now time.Time) (string, error) {
	claims := maps.Clone(d.claims)
	claims["jti"] = rand.Text()
	claims[d.names.UserID] = user
	claims[d.names.Roles] = d.withRequired(roles)
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(tokenLife).Unix()
	return auth.Mint(d.secret, claims)
}

func (d *devMode) withRequired(roles []string) []string {
	all := slices.Clone(roles)
	for _, role := range d.roles {
		if !slices.Contains(all, role) {
			all = append(all, role)
		}
	}
	return all
}

// anyTopic is the AuthorizeTopic that allows all.
func anyTopic(context.Context, *realtime.Conn, string) error { return nil }

// origins adds the page's own origins to a list that would replace the default.
func (d *devMode) origins(allowed []string, public *endpoint) []string {
	if len(allowed) == 0 {
		return nil
	}
	_, port, _ := net.SplitHostPort(public.listener.Addr().String())
	return append(slices.Clone(allowed), public.url(), public.scheme+"://localhost:"+port)
}

func (d *devMode) addRoutes(mux *http.ServeMux) {
	mux.Handle("/", localOnly(page.Handler()))
	mux.Handle("POST /dev/session", localOnly(http.HandlerFunc(d.session)))
}

// maxSession bounds the body of a request for a session, in octets.
const maxSession = 4 << 10

// session gives the page the API key and, for a user it names, a token.
func (d *devMode) session(w http.ResponseWriter, r *http.Request) {
	// A form cannot send JSON, and a script of another origin cannot without
	// asking first, which is never granted.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" || !ownOrigin(r) {
		http.Error(w, "only the page of this server may ask, with JSON", http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSession))
	if err != nil {
		http.Error(w, "the body is too long, or has not come", http.StatusBadRequest)
		return
	}
	user, roles, err := parseSession(body)
	if err != nil {
		http.Error(w, fmt.Sprintf(`send {"user": "alice", "roles": ["admin"]}: %v`, err), http.StatusBadRequest)
		return
	}
	answer := struct {
		APIKey string `json:"apiKey"`
		Token  string `json:"token,omitempty"`
	}{APIKey: d.apiKey}
	if user != "" {
		if answer.Token, err = d.token(user, roles, time.Now()); err != nil {
			http.Error(w, fmt.Sprintf("no token: %v", err), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer) // the client is gone: nobody to tell
}

// parseSession reads who asks for a session; nobody, who wants the API key alone.
func parseSession(body []byte) (user string, roles []string, err error) {
	var members map[string]json.RawMessage
	if err := wire.CheckStrict(body); err != nil {
		return "", nil, err
	}
	if err := json.Unmarshal(body, &members); err != nil || members["user"] == nil {
		return "", nil, err
	}
	if user, err = parseName(members["user"]); err != nil {
		return "", nil, fmt.Errorf("user: %w", err)
	}
	var list []json.RawMessage
	if members["roles"] != nil && json.Unmarshal(members["roles"], &list) != nil {
		return "", nil, errors.New("roles must be a list")
	}
	for _, raw := range list {
		role, err := parseName(raw)
		if err != nil {
			return "", nil, fmt.Errorf("roles: %w", err)
		}
		roles = append(roles, role)
	}
	return user, roles, nil
}

func parseName(raw json.RawMessage) (string, error) {
	name, err := wire.Text(raw)
	if err != nil {
		return "", err
	}
	return name, wire.CheckTarget("name", name)
}

// ownOrigin reports whether no other page asks. A program without a browser has
// no origin.
func ownOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}
