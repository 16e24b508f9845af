package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"boundary-app.org/realtime/internal/strictjson"
	"boundary-app.org/realtime/wire"
)

// FuzzVerify: what is accepted is signed, and its identity is what an
// independent parser finds. The fuzzer also chooses header and claims of a
// token with a good signature.
func FuzzVerify(f *testing.F) {
	f.Add(mint(nil), `{"alg":"HS256"}`, `{"sub":"u1","exp":1772370000,"roles":["a"],"topics":"x*"}`)
	f.Add("a.b.c", `{"alg":"HS256","kid":"\ud800"}`, `{"sub":"\u0000","exp":1e400,"role":{},"user":{"id":1}}`)
	f.Add("", `{"alg":"HS256","crit":[]}`, `{"sub":"u1","exp":4e9,"jti":"t1","email":"a@b.example","role":"a","roles":["b","b"]}`)
	f.Add("..", `{"alg":"none"}`, `{"sub":"u1","exp":4e9,"exp":1,"nbf":2e9,"iat":null}`)
	for _, c := range slices.Concat(badHeaders(), badJSON(), badTimes(), badClaims()) {
		if parts, err := split(c.token); err == nil {
			f.Add(c.token, string(parts.header), string(parts.claims))
		}
	}
	for _, value := range unreadableRights() {
		f.Add("", `{"alg":"HS256"}`, `{"sub":-12,"exp":4e9,"role":`+value+`,"roles":[`+value+`],"email":`+value+`,"topics":{"a":`+value+`}}`)
	}
	j := newJWT(f, Options{HMACSecret: secret, Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, token, header, claims string) {
		for _, token := range []string{token, compact(header, claims, jwt.SigningMethodHS256, secret)} {
			id, err := j.Verify(t.Context(), token)
			if (id == nil) == (err == nil) {
				t.Fatalf("Verify = %v, %v", id, err)
			}
			if err != nil {
				if !errors.Is(err, ErrUnauthorized) || ReasonOf(err) == ReasonOther {
					t.Fatalf("Verify: %v", err)
				}
				continue
			}
			checkIdentity(t, token, id)
		}
	})
}

// checkIdentity holds an identity against what an independent parser reads.
func checkIdentity(t *testing.T, token string, id *Identity) {
	t.Helper()
	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithoutClaimsValidation(), jwt.WithJSONNumber())
	if err != nil {
		t.Fatalf("accepted, but %v", err)
	}
	claims := parsed.Claims.(jwt.MapClaims)
	text := func(name string) string { s, _ := claims[name].(string); return s }
	// It reads the escape of half a surrogate as U+FFFD, where we drop the claim.
	broken := func(name string) bool { return strings.ContainsRune(text(name), unicode.ReplacementChar) }
	user := text("sub")
	if number, ok := claims["sub"].(json.Number); ok {
		user = number.String()
		if integer, ok := new(big.Int).SetString(user, 10); !ok || integer.String() != user {
			t.Fatalf("the number %s is a user id", user)
		}
	}
	number, _ := claims["exp"].(json.Number)
	exp, _ := number.Float64()
	switch {
	case id.UserID != user, id.Email != text("email") && (id.Email != "" || !broken("email")), id.TokenID != text("jti"),
		id.ExpiresAt.Unix() != int64(exp),
		checkName(text("role")) == nil && !broken("role") && !id.HasRole(text("role")):
		t.Fatalf("identity %+v of %v", id, claims)
	case wire.CheckTarget("user", id.UserID) != nil, id.Expired(now.Add(-30 * time.Second)), !json.Valid(id.Claims):
		t.Fatalf("identity %+v breaks its promises", id)
	}
	for _, name := range slices.Concat(id.Roles, id.Permissions, id.Topics) {
		if wire.CheckTarget("name", name) != nil {
			t.Fatalf("the name %q", name)
		}
	}
}

// FuzzToken: three parts in the one spelling there is, or a refusal.
func FuzzToken(f *testing.F) {
	for _, c := range slices.Concat(malformed(), badHeaders()) {
		if len(c.token) <= MaxTokenSize {
			f.Add(c.token)
		}
	}
	f.Add(mint(nil))
	f.Fuzz(func(t *testing.T, token string) {
		parts := strings.Split(token, ".")
		good := len(token) <= MaxTokenSize && len(parts) == 3
		var want [3][]byte
		for i := 0; good && i < 3; i++ {
			data, err := base64.RawURLEncoding.DecodeString(parts[i])
			want[i] = data
			good = err == nil && base64.RawURLEncoding.EncodeToString(data) == parts[i]
		}
		got, err := split(token)
		if good != (err == nil) {
			t.Fatalf("split(%q): %v, want it taken: %v", token, err, good)
		}
		if good && (!bytes.Equal(got.header, want[0]) || !bytes.Equal(got.claims, want[1]) ||
			!bytes.Equal(got.signature, want[2]) || got.signed != parts[0]+"."+parts[1]) {
			t.Fatalf("split(%q) = %+v", token, got)
		}
		if !good {
			return
		}
		h, err := parseHeader(got.header)
		var members map[string]any
		if err == nil && (json.Unmarshal(got.header, &members) != nil || h.alg != members["alg"] ||
			members["kid"] != nil && h.kid != members["kid"] || members["crit"] != nil) {
			t.Fatalf("parseHeader(%s) = %+v", got.header, h)
		}
	})
}

// FuzzObject holds the splitting against encoding/json, both ways.
func FuzzObject(f *testing.F) {
	for _, s := range []string{
		`{"sub":"u1","exp":1.5e9,"roles":["a","b\\"],"n":{"a":[{}]},"x":null}`, `{}`, `[{"a":1}]`, `{"a":1,"a":2}`, `{"\ud800":"\""}`,
		`{"a":{"b":1,"b":2}}`, "{\"\xff\":1}", ` { "a" : [ ] } `, `{"a":1}{}`, `null`, `{"\ud83d\ude00":1}`, `{"\ufffd":1}`, `{"\uFFFD\\ufffd\ud800":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		names, good := topNames(data)
		o, err := appendObject(nil, data)
		if good != (err == nil) {
			t.Fatalf("%q: %v, want it taken: %v", data, err, good)
		}
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil || len(o) != len(names) {
			t.Fatalf("%d members, want %d (%v)", len(o), len(names), err)
		}
		for i, m := range o {
			if string(m.name) != names[i] || string(want[string(m.name)]) != string(m.value) {
				t.Errorf("%q is %s, want %s", m.name, m.value, want[string(m.name)])
			}
			if m.value[0] == '[' {
				compareElements(t, m.value)
			}
		}
	})
}

// topNames returns the names of an object's members as a decoder reads them,
// and whether data is an object that may be taken.
func topNames(data []byte) (names []string, good bool) {
	if !utf8.Valid(data) || !json.Valid(data) || bytes.TrimSpace(data)[0] != '{' {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	_, _ = decoder.Token()
	for decoder.More() {
		begin := decoder.InputOffset()
		token, _ := decoder.Token()
		name, _ := token.(string)
		// What the decoder puts in the place of half a pair is not in the text.
		raw := strings.ToLower(strings.ReplaceAll(string(data[begin:decoder.InputOffset()]), `\\`, ""))
		given := strings.Count(raw, "\uFFFD") + strings.Count(raw, `\ufffd`)
		if slices.Contains(names, name) || strings.Count(name, "\uFFFD") > given {
			return nil, false
		}
		names = append(names, name)
		var value json.RawMessage
		_ = decoder.Decode(&value)
	}
	return names, len(names) <= maxMembers
}

func compareElements(t *testing.T, array []byte) {
	var want []json.RawMessage
	if err := json.Unmarshal(array, &want); err != nil {
		t.Fatal(err)
	}
	i := 0
	for element := range strictjson.Elements(array) {
		if i >= len(want) || string(want[i]) != string(element) {
			t.Fatalf("element %d of %s is %s", i, array, element)
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d elements of %s, want %d", i, array, len(want))
	}
}

// FuzzKeySet checks that every entry is a key for signatures that is strong enough,
// or ignored.
func FuzzKeySet(f *testing.F) {
	f.Add([]byte(jwkSet(jwk("a", rsaKey().Public(), `"alg":"RS256"`), jwk("b", ecKey().Public(), ""), jwk("c", edKey().Public(), ""))), "")
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"","y":""},null,7]}`), "PS256")
	f.Add([]byte(jwkSet(jwk("a", rsaKey().Public(), `"d":"AQ"`), jwk("b", ecKey().Public(), `"use":"enc"`), jwk("a", edKey().Public(), `"key_ops":["verify"]`))), "ES256")
	f.Add([]byte(jwkSet(edJWK(make([]byte, 32)), rsaJWK(1024, "AQAB", ""), rsaJWK(2048, "AQ", ""), `{"kty":"oct","k":"AQ"}`)), "HS256")
	f.Fuzz(func(t *testing.T, data []byte, alg string) {
		set, err := parseKeySet(data, alg)
		if err != nil {
			return
		}
		var document struct{ Keys []json.RawMessage }
		if err := json.Unmarshal(data, &document); err != nil || len(set.keys)+set.ignored != len(document.Keys) {
			t.Fatalf("%d keys and %d ignored of %d entries, %v", len(set.keys), set.ignored, len(document.Keys), err)
		}
		for _, k := range set.keys {
			found, err := set.choose(k.id, k.method.Alg())
			if k.id != "" && (err != nil || len(found) > maxSameKid || !slices.Contains(found, k)) {
				t.Errorf("the kid %q: %d keys, %v", k.id, len(found), err)
			}
			checkKey(t, k)
		}
	})
}

func checkKey(t *testing.T, k *key) {
	t.Helper()
	name := k.method.Alg()
	if signingMethod(name) == nil || isHMAC(name) {
		t.Errorf("key with algorithm %s", name)
	}
	again, err := newPEMKey(publicPEM(k.material), name)
	if err != nil || !again.uses(name) {
		t.Errorf("a key that is refused as PEM: %v", err)
	}
	if name == "EdDSA" {
		return // a point of small order is as bad as any key whose secret half is known
	}
	if k.verify("signed", make([]byte, 64)) == nil {
		t.Error("a signature of zeros verifies")
	}
}

// FuzzFromRequest finds the token where a slow search finds it.
func FuzzFromRequest(f *testing.F) {
	f.Add("token=a&x=1", "Bearer b", "boundary.realtime.v1, bearer.c")
	f.Add("token=%41", "Basic b", "chat, bearer.c")
	f.Add("token=a;token=b", "bearer  x ", "eyJ.e30.sig,boundary.realtime.v1")
	f.Add("token", "", ",boundary.realtime.v1 ,bearer.")
	f.Add("token=%zz", "Bearer", "boundary.realtime.v1, eyJ.a")
	f.Fuzz(func(t *testing.T, query, authorization, protocols string) {
		r := httptest.NewRequest(http.MethodGet, "/ws", nil)
		r.URL.RawQuery = query
		r.Header["Authorization"] = []string{authorization}
		r.Header["Sec-Websocket-Protocol"] = []string{protocols}
		tokens, good := searchTokens(query, authorization, protocols)
		token, present, err := FromRequest(r, "token")
		switch {
		case !good || len(tokens) > 1:
			if err == nil || present || token != "" {
				t.Fatalf("FromRequest = %q, %v, %v; want an error", token, present, err)
			}
			for _, part := range append(tokens, authorization, query) {
				if len(part) > 40 && strings.Contains(err.Error(), part) {
					t.Fatalf("the error quotes the request: %v", err)
				}
			}
		case err != nil || present != (len(tokens) == 1) || token != strings.Join(tokens, ""):
			t.Fatalf("FromRequest = %q, %v, %v; want %q", token, present, err, tokens)
		}
	})
}

// searchTokens returns every token of a request, and whether its query can be read.
func searchTokens(query, authorization, protocols string) (tokens []string, good bool) {
	for _, pair := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || strings.Contains(pair, ";") {
			return nil, false
		}
		if name == "token" && pair != "" {
			tokens = append(tokens, value)
		}
	}
	if fields := strings.SplitN(authorization, " ", 2); strings.EqualFold(fields[0], "bearer") {
		tokens = append(tokens, strings.Trim(strings.Join(fields[1:], ""), " "))
	}
	entries := strings.Split(protocols, ",")
	for i := range entries {
		entries[i] = strings.Trim(entries[i], " \t")
	}
	for _, entry := range entries {
		after, prefixed := strings.CutPrefix(entry, "bearer.")
		bare := strings.HasPrefix(entry, "ey") && strings.Count(entry, ".") == 2
		if (prefixed || bare) && slices.Contains(entries, wire.Subprotocol) {
			tokens = append(tokens, after)
		}
	}
	return tokens, true
}
