package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// keyServer is an issuer with one EC key.
type keyServer struct {
	*httptest.Server
	key  *ecdsa.PrivateKey
	down atomic.Bool
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	k := &keyServer{key: key}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if k.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","x":%q,"y":%q}]}`, b64(point[1:33]), b64(point[33:]))
	}))
	t.Cleanup(k.Close)
	return k
}

// token is signed by the issuer, for an audience.
func (k *keyServer) token(t *testing.T, audience string) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix(), "aud": audience}
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(k.key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// status is the answer to a handshake with a token.
func (r *reloading) status(token string) int {
	r.t.Helper()
	conn, response, err := websocket.Dial(r.t.Context(), r.publicURL()+"/ws?token="+token, nil)
	if err == nil {
		_ = conn.CloseNow()
	}
	if response == nil {
		r.t.Fatal(err)
	}
	return response.StatusCode
}

// While the issuer is down, a new audience keeps the keys that were fetched; those of a
// new address are not there, and the log says so.
func TestReloadKeepsTheKeySet(t *testing.T) {
	t.Parallel()
	issuer := newKeyServer(t)
	settings := "jwks_url: " + issuer.URL + "/a\n"
	r := runReloading(t, t.TempDir(), settings)
	ours, theirs := issuer.token(t, "chat"), issuer.token(t, "mail")
	if a, b := r.status(ours), r.status(theirs); a != 101 || b != 101 {
		t.Fatalf("before the reload: %d, %d", a, b)
	}
	issuer.down.Store(true)
	r.set(settings + "jwt_audience: chat\n")
	r.wantsChanges(`jwt_audience: "" -> chat`)
	if a, b := r.status(ours), r.status(theirs); a != 101 || b != 401 {
		t.Errorf("with another audience: %d and %d, want 101 and 401", a, b)
	}
	r.set("jwks_url: " + issuer.URL + "/b\n")
	if warned := r.wants("refused with 503"); warned.Level != "WARN" {
		t.Errorf("the level is %s", warned.Level)
	}
	if a := r.status(ours); a != 503 {
		t.Errorf("with another address: %d, want 503", a)
	}
}

// Limits that are refused leave everything as it was. A verifier that goes on
// fetching keys is a goroutine that TestMain reports as leaked.
func TestRefusedLimitsLeaveNoVerifier(t *testing.T) {
	t.Parallel()
	issuer := newKeyServer(t)
	r := runReloading(t, t.TempDir(), "reload_interval: 0s\njwks_url: "+issuer.URL+"\n")
	r.status(issuer.token(t, "chat")) // the key set is there
	before, level := r.verifier.current.Load(), r.level.Level()
	next := *r.cfg
	next.Limits.MessageSize = 1 << 10 // stays as it was at the start, says the service
	next.Log.Level = slog.LevelDebug
	if err := newReloader(r.Server, *r.reload).apply(&next, []string{`jwt_audience: "" -> chat`}); err == nil {
		t.Error("the limits are taken")
	}
	if r.verifier.current.Load() != before || r.level.Level() != level {
		t.Error("the verifier or the level has changed")
	}
}
