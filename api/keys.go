package api

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"

	"boundary-app.org/realtime"
)

// keys are the digests of the API keys. A key is compared with all digests, so that
// the time of the comparison reveals neither the length of a key nor a near match.
type keys [][sha256.Size]byte

// minKey is the length in bytes below which a key is easy to guess.
const minKey = 16

// warnOfShortKeys logs how many keys are too short, and never a key.
func warnOfShortKeys(texts []string, log *slog.Logger) {
	short := 0
	for _, text := range texts {
		if n := len(strings.TrimSpace(text)); n > 0 && n < minKey {
			short++
		}
	}
	if short > 0 {
		log.Warn("API keys of fewer than 16 bytes can be guessed; make a key with: openssl rand -hex 16", "short", short)
	}
}

func newKeys(texts []string) keys {
	var k keys
	for _, text := range texts {
		if strings.TrimSpace(text) != "" { // an unset variable must not open the API
			k = append(k, sha256.Sum256([]byte(strings.Trim(text, " "))))
		}
	}
	return k
}

// RequireKey passes requests with one of the keys to next. It answers other requests
// with a problem, as the handler of New does, and counts and logs them with the path
// "guarded". It uses only Keys, TrustedProxies and Log of the options.
func RequireKey(svc *realtime.Service, o Options, next http.Handler) http.Handler {
	k, refused := newKeys(o.Keys), newRefusals(svc, o.TrustedProxies, cmp.Or(o.Log, slog.Default()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := k.check(r.Header); p != nil {
			refused.report(r, "guarded", p)
			p.write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// check returns nil when the header has one of the keys (RFC 6750 section 2.1),
// otherwise a problem with 401 or 403.
func (k keys) check(header http.Header) *problem {
	if len(k) == 0 {
		return newProblem(apiDisabled, "the API is disabled: no API key is configured")
	}
	given := header.Values("Authorization")
	if len(given) == 0 {
		return newProblem(missingKey, `an API key is missing; send "Authorization: Bearer <key>"`).
			with("WWW-Authenticate", "Bearer")
	}
	var tokens []string // other schemes are ignored, as for WebSockets
	for _, value := range given {
		// The scheme ends with one or more spaces (RFC 9110 section 11.4).
		if scheme, key, _ := strings.Cut(value, " "); strings.EqualFold(scheme, "Bearer") {
			tokens = append(tokens, strings.TrimLeft(key, " "))
		}
	}
	if len(tokens) != 1 || !k.match(tokens[0]) {
		return newProblem(invalidKey, `the API key is wrong; send one key as "Authorization: Bearer <key>"`).
			with("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	return nil
}

func (k keys) match(key string) bool {
	given := sha256.Sum256([]byte(key))
	found := 0
	for i := range k {
		found |= subtle.ConstantTimeCompare(given[:], k[i][:])
	}
	return found == 1
}
