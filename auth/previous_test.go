package auth

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A verifier with other options goes on with the key set of the one before, so that a
// change does not lock users out while the issuer is down.
func TestKeySetOfThePreviousVerifier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("a", rsaKey().Public(), ""))
		before := newJWT(t, id.options())
		synctest.Wait() // the set is fetched
		id.answer(http.StatusInternalServerError, "")
		o := id.options()
		o.Audience, o.Previous = ourAudience, before
		after := newJWT(t, o)
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		token := signed("RS256", "a", rsaKey())
		wantReason(t, after, token, ReasonAudience) // its key is known
		o.Audience, o.Previous = "", after
		last := newJWT(t, o)
		wantReason(t, last, token, "")
		wantReason(t, last, signed("RS256", "b", rsaKey()), ReasonUnavailable)

		// The next fetch that succeeds replaces it.
		id.publish(jwk("b", rsaKey().Public(), ""))
		time.Sleep(coolDown)
		synctest.Wait()
		wantReason(t, last, signed("RS256", "b", rsaKey()), "")
		time.Sleep(coolDown)
		wantReason(t, last, token, ReasonKey)
	})
}

// Keys are not handed on where the options choose others, or read them in another way.
func TestOtherKeySetThanThePrevious(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"another URL":       func(o *Options) { o.JWKSURL = "https://id2.example/jwks" },
		"another algorithm": func(o *Options) { o.Algorithm = "PS256" },
		"never fetched":     func(o *Options) { o.Previous = nil; o.Previous = must(New(*o)) },
		"no key set":        func(o *Options) { o.Previous = must(New(Options{HMACSecret: secret})) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var id issuer
				var log bytes.Buffer
				id.publish(jwk("a", rsaKey().Public(), ""))
				o := id.options()
				o.Previous = newJWT(t, o)
				synctest.Wait()
				id.answer(http.StatusInternalServerError, "")
				change(&o)
				o.Log = slog.New(slog.NewTextHandler(&log, nil))
				j := newJWT(t, o)
				wantReason(t, j, signed("RS256", "a", rsaKey()), ReasonUnavailable)
				synctest.Wait()
				if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "refused with 503") {
					t.Errorf("log: %s", text)
				}
				_ = o.Previous.Close()
			})
		})
	}
}
