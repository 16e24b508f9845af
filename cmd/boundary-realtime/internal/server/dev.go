package server

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/page"
)

// devMode gives tokens to every program on this machine.
type devMode struct {
	secret []byte
	apiKey string

	// in every token: the rights that the configuration requires
	claims map[string]any
	roles  []string
	names  config.ClaimNames
}

// newDevMode makes a secret for tokens and an API key. It does not use those of a
// configuration, since dev mode shows its keys.
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

// tokenLife is longer than a working day.
const tokenLife = 12 * time.Hour

// anyTopic is the pattern of the topics claim that matches every topic.
const anyTopic = "*"

// token returns a token for a user with these roles and the required ones. Topics are
// patterns of the topics that the client may subscribe to, as in production.
func (d *devMode) token(user string, roles, topics []string, now time.Time) (string, error) {
	claims := maps.Clone(d.claims)
	claims["jti"] = rand.Text()
	claims[d.names.UserID] = user
	claims[d.names.Roles] = d.withRequired(roles)
	claims[d.names.Topics] = topics
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

// loopbackPages lets pages of this machine connect from any port: a developer's own page
// is served by another program. It removes the Origin of such a request: the page sends
// its token itself, like a client that is not a browser.
func loopbackPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origins := r.Header["Origin"]; len(origins) == 1 && isLoopbackOrigin(origins[0]) {
			judged := *r
			judged.Header = r.Header.Clone()
			judged.Header.Del("Origin")
			r = &judged
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopbackOrigin reports whether an origin is that of a web server on this
// machine: http or https, localhost or a loopback address, and any port.
func isLoopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil &&
		origin == u.Scheme+"://"+u.Host && config.IsLoopback(u.Host)
}

func (d *devMode) addRoutes(mux *http.ServeMux) {
	mux.Handle("/", localOnly(page.Handler()))
	mux.Handle("POST /dev/session", localOnly(http.HandlerFunc(d.session)))
}
