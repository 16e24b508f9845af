package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// issuer answers fetches in memory.
type issuer struct {
	mu      sync.Mutex
	status  int
	body    string
	delay   time.Duration
	fetches int
	running int
	most    int // running at once
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.fetches++
	i.running++
	i.most = max(i.most, i.running)
	status, body, delay := i.status, i.body, i.delay
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.running--
	}()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (i *issuer) publish(keys ...string) { i.answer(http.StatusOK, jwkSet(keys...)) }

func (i *issuer) answer(status int, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// options are for use inside a synctest bubble: the clock is the bubble's.
func (i *issuer) options() Options { return i.fill(Options{}) }

// bubbleClock goes with the bubble's, and begins in the year of the tests' tokens.
func bubbleClock() time.Time { return now.Add(time.Since(bubbleStart)) }

// bubbleStart is where the clock of every synctest bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func wantReason(t *testing.T, v Verifier, token string, want Reason) {
	t.Helper()
	if _, err := v.Verify(t.Context(), token); ReasonOf(err) != want {
		t.Errorf("Verify: %v, want reason %q", err, want)
	}
}

func TestKeySetChoice(t *testing.T) {
	t.Parallel()
	one := jwk("rsa-1", rsaKey().Public(), "")
	two := jwk("rsa-2", otherRSA().Public(), `"use":"sig","alg":"PS512"`)
	ec := jwk("ec", ecKey().Public(), `"key_ops":["verify"]`)
	ed := jwk("ed", edKey().Public(), "")
	for _, c := range []struct {
		name  string
		keys  []string
		token string
		want  Reason
	}{
		{"by kid", []string{one, two, ec, ed}, signed("RS256", "rsa-1", rsaKey()), ""},
		{"algorithm that the key names", []string{one, two}, signed("PS512", "rsa-2", otherRSA()), ""},
		{"EC", []string{one, ec}, signed("ES256", "ec", ecKey()), ""},
		{"Ed25519", []string{one, ed}, signed("EdDSA", "ed", edKey()), ""},
		{"only key, no kid", []string{one}, signed("RS256", "", rsaKey()), ""},
		{"only key without an id", []string{jwk("", rsaKey().Public(), "")}, signed("RS256", "", rsaKey()), ""},
		{"several keys of the kind, no kid", []string{one, jwk("rsa-2", otherRSA().Public(), "")}, signed("RS256", "", rsaKey()), ReasonKey},
		{"several keys without ids", []string{jwk("", rsaKey().Public(), ""), jwk("", otherRSA().Public(), "")}, signed("RS256", "", rsaKey()), ReasonKey},
		{"no keys", nil, signed("RS256", "", rsaKey()), ReasonKey},
		{"unknown kid", []string{one}, signed("RS256", "rsa-3", rsaKey()), ReasonKey},
		{"kid like a path", []string{one}, signed("RS256", "../../rsa-1", rsaKey()), ReasonKey},
		{"kid of another key", []string{one, two}, signed("RS256", "rsa-1", otherRSA()), ReasonSignature},
		{"PS256 where RS256 is the key's", []string{one}, signed("PS256", "rsa-1", rsaKey()), ReasonAlgorithm},
		{"HS256", []string{one}, mint(nil), ReasonAlgorithm},
		{"symmetric key", []string{`{"kty":"oct","kid":"rsa-1","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}`}, mint(nil), ReasonAlgorithm},
		{"key for encryption", []string{jwk("rsa-1", rsaKey().Public(), `"use":"enc"`)}, signed("RS256", "rsa-1", rsaKey()), ReasonKey},
		{"key to sign with only", []string{jwk("rsa-1", rsaKey().Public(), `"key_ops":["sign"]`)}, signed("RS256", "rsa-1", rsaKey()), ReasonKey},
		{"key for another algorithm", []string{jwk("rsa-1", rsaKey().Public(), `"alg":"RSA-OAEP"`)}, signed("RS256", "rsa-1", rsaKey()), ReasonKey},
		{"unusable keys beside a good one", []string{`7`, `{"kty":"new"}`, `{"kty":"RSA","n":"AQAB","e":"AQAB"}`, `{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}`, one}, signed("RS256", "", rsaKey()), ""},
		{"certificate members are not followed", []string{jwk("rsa-1", rsaKey().Public(), `"x5u":"https://127.0.0.1:1/","x5c":["MIIB"],"x5t":"x"`)}, signed("RS256", "rsa-1", rsaKey()), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var id issuer
				id.publish(c.keys...)
				wantReason(t, newJWT(t, id.options()), c.token, c.want)
			})
		})
	}
}

func TestKeySetWithConfiguredAlgorithm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("plain", rsaKey().Public(), ""), jwk("other", rsaKey().Public(), `"alg":"RS256"`), jwk("ec", ecKey().Public(), ""))
		o := id.options()
		o.Algorithm = "PS256"
		j := newJWT(t, o)
		wantReason(t, j, signed("PS256", "plain", rsaKey()), "")
		wantReason(t, j, signed("RS256", "plain", rsaKey()), ReasonAlgorithm)
		wantReason(t, j, signed("RS256", "other", rsaKey()), ReasonKey)
		wantReason(t, j, signed("ES256", "ec", ecKey()), "")
	})
}

// An algorithm for other keys leaves an RSA key what it says of itself.
func TestKeySetWithAlgorithmOfAnotherKind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("a", rsaKey().Public(), `"alg":"RS512"`))
		o := id.options()
		o.Algorithm = "EdDSA"
		wantReason(t, newJWT(t, o), signed("RS512", "a", rsaKey()), "")
	})
}

func TestKeySetBesideConfiguredKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("set", rsaKey().Public(), ""))
		o := id.options()
		o.HMACSecret, o.PublicKey = secret, publicPEM(otherRSA().Public())
		j := newJWT(t, o)
		wantReason(t, j, mint(nil), "")
		wantReason(t, j, signed("RS256", "set", rsaKey()), "")
		wantReason(t, j, signed("RS256", "", otherRSA()), "")
		wantReason(t, j, signed("RS256", "unknown", otherRSA()), "")
		wantReason(t, j, signed("RS256", "set", otherRSA()), ReasonSignature)
		wantReason(t, j, signed("ES256", "unknown", ecKey()), ReasonKey)
	})
}

// However many unknown ids come, one fetch is made in a cool-down. One token is then
// refused, and the others are told to come back, since no fetch says that their key is
// not there.
func TestUnknownKeyIDsFetchOncePerCoolDown(t *testing.T) {
	t.Parallel()
	token := signed("RS256", "kid", rsaKey())
	_, rest, _ := strings.Cut(token, ".")
	flood := func(t *testing.T, j *JWT, first Reason) {
		for i := range 10_000 {
			random := encode(fmt.Sprintf(`{"alg":"RS256","kid":"%d"}`, i)) + "." + rest
			wantReason(t, j, random, first)
			first = ReasonUnavailable
			time.Sleep(time.Millisecond)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("a", rsaKey().Public(), ""))
		j := newJWT(t, id.options())
		time.Sleep(time.Millisecond)
		first := ReasonUnavailable // the set was fetched a moment ago
		for round := 1; round <= 3; round++ {
			flood(t, j, first)
			if n := id.count(); n != round {
				t.Fatalf("round %d: %d fetches", round, n)
			}
			wantReason(t, j, signed("RS256", "a", rsaKey()), "")
			time.Sleep(coolDown)
			first = ReasonKey
		}
	})
}

func TestOneFetchAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id := issuer{delay: time.Second}
		id.publish(jwk("a", rsaKey().Public(), ""))
		token := signed("RS256", "a", rsaKey())
		j := newJWT(t, id.options())
		var accepted atomic.Int32
		for range 100 {
			go func() {
				if _, err := j.Verify(t.Context(), token); err == nil {
					accepted.Add(1)
				}
			}()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if accepted.Load() != 100 || id.count() != 1 {
			t.Errorf("%d accepted, %d fetches; want 100, 1", accepted.Load(), id.count())
		}
		// The refresh that is due falls into a fetch that a token asked for.
		time.Sleep(refreshEvery - time.Second/2)
		wantReason(t, j, signed("RS256", "unknown", rsaKey()), ReasonKey)
		if id.most != 1 || id.count() != 2 {
			t.Errorf("%d fetches, %d at once; want 2, 1", id.count(), id.most)
		}
	})
}

func TestRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("old", rsaKey().Public(), ""))
		j := newJWT(t, id.options())
		oldToken, newToken := signed("RS256", "old", rsaKey()), signed("RS256", "new", otherRSA())
		wantReason(t, j, oldToken, "")

		// Published, and used at once: the first token fetches.
		id.publish(jwk("old", rsaKey().Public(), ""), jwk("new", otherRSA().Public(), ""))
		time.Sleep(coolDown)
		wantReason(t, j, newToken, "")
		wantReason(t, j, oldToken, "")
		if n := id.count(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}

		// Withdrawn: refused after the next refresh, without a token that asks for it.
		id.publish(jwk("new", otherRSA().Public(), ""))
		time.Sleep(refreshEvery)
		synctest.Wait()
		wantReason(t, j, oldToken, ReasonKey)
		wantReason(t, j, newToken, "")
	})
}

func TestPublishedBeforeUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("old", rsaKey().Public(), ""))
		j := newJWT(t, id.options())
		synctest.Wait()
		id.publish(jwk("old", rsaKey().Public(), ""), jwk("new", otherRSA().Public(), ""))
		time.Sleep(refreshEvery)
		synctest.Wait()
		id.answer(http.StatusInternalServerError, "") // no fetch can help any more
		wantReason(t, j, signed("RS256", "new", otherRSA()), "")
		if n := id.count(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

func TestIssuerDownAtStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		var log bytes.Buffer
		o := id.options()
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		j := newJWT(t, o)
		token := signed("RS256", "a", rsaKey())
		_, err := j.Verify(t.Context(), token)
		if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnauthorized) || ReasonOf(err) != ReasonUnavailable {
			t.Errorf("never reached: %v", err)
		}
		wantReason(t, j, "a.b", ReasonMalformed)

		// 1, 2, 4, 8, 16 and then every 30 seconds.
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := id.count(); n != 8 {
			t.Errorf("%d fetches in two minutes, want 8", n)
		}
		id.publish(jwk("a", rsaKey().Public(), ""))
		time.Sleep(coolDown)
		synctest.Wait()
		wantReason(t, j, token, "")
		// Down again: the refresh that is due fails, then the waits begin again.
		id.answer(0, "")
		before := id.count()
		time.Sleep(refreshEvery)
		synctest.Wait()
		if n := id.count() - before; n != 5 {
			t.Errorf("%d fetches, want one and four retries", n)
		}
		if text := log.String(); !strings.Contains(text, "connection refused") || strings.Contains(text, "hidden") {
			t.Errorf("log: %s", text)
		}
	})
}

func TestLastGoodSetIsKept(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"refused":     {0, ""},
		"500":         {http.StatusInternalServerError, jwkSet()},
		"redirect":    {http.StatusFound, ""},
		"no JSON":     {http.StatusOK, "<html>"},
		"no keys":     {http.StatusOK, "{}"},
		"keys null":   {http.StatusOK, `{"keys":null}`},
		"over 64 KiB": {http.StatusOK, jwkSet() + strings.Repeat(" ", maxKeySet)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var id issuer
				id.publish(jwk("a", rsaKey().Public(), ""))
				j := newJWT(t, id.options())
				synctest.Wait()
				id.answer(answer.status, answer.body)
				time.Sleep(2 * refreshEvery)
				synctest.Wait()
				wantReason(t, j, signed("RS256", "a", rsaKey()), "")
				// Whether this key is good is not known until the issuer answers again.
				wantReason(t, j, signed("RS256", "b", rsaKey()), ReasonUnavailable)
				id.publish(jwk("a", rsaKey().Public(), ""))
				time.Sleep(refreshEvery)
				synctest.Wait()
				wantReason(t, j, signed("RS256", "b", rsaKey()), ReasonKey)
			})
		})
	}
}

func TestEmptySetReplaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("a", rsaKey().Public(), ""))
		j := newJWT(t, id.options())
		synctest.Wait()
		id.publish()
		time.Sleep(refreshEvery)
		synctest.Wait()
		wantReason(t, j, signed("RS256", "a", rsaKey()), ReasonKey)
	})
}

func TestSlowIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id := issuer{delay: time.Hour}
		j := newJWT(t, id.options())
		token := signed("RS256", "a", rsaKey())

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := j.Verify(ctx, token)
		if !errors.Is(err, context.DeadlineExceeded) || ReasonOf(err) != ReasonCanceled {
			t.Errorf("caller's own deadline: %v", err)
		}
		begin := time.Now()
		wantReason(t, j, token, ReasonUnavailable)
		if waited := time.Since(begin); waited != time.Second {
			t.Errorf("waited %v after the first second, want 2 s in all", waited)
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id := issuer{delay: time.Second}
		j, err := New(id.options())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the fetch is under way
		begin := time.Now()
		for range 2 {
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("Close took %v", waited)
		}
		wantReason(t, j, signed("RS256", "a", rsaKey()), ReasonUnavailable)
		time.Sleep(time.Hour)
		wantReason(t, j, signed("RS256", "a", rsaKey()), ReasonUnavailable)
		if n := id.count(); n != 1 {
			t.Errorf("%d fetches, want none after Close", n)
		}
	})
}
