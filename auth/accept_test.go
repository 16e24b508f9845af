package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

func TestIdentityOfClaims(t *testing.T) {
	t.Parallel()
	const claims = ` {"iss":"x", "sub":"u1", "role":"admin", "roles":["editor","\u00e9diteur","editor"],
		"permissions":["read","write"], "topics":["news","order:*"], "email":"u1@example.com",
		"jti":"t1", "exp":1772370000.5, "iat":1772366400, "other":{"a":[1]}}`
	id, err := newJWT(t, Options{HMACSecret: secret}).Verify(t.Context(), hs256(claims))
	if err != nil {
		t.Fatal(err)
	}
	want := &Identity{
		UserID:      "u1",
		Roles:       []string{"editor", "éditeur", "admin"},
		Permissions: []string{"read", "write"},
		Topics:      []string{"news", "order:*"},
		Email:       "u1@example.com",
		TokenID:     "t1",
		ExpiresAt:   time.Date(2026, 3, 1, 13, 0, 0, 5e8, time.UTC),
		IssuedAt:    now,
		Claims:      json.RawMessage(claims),
	}
	if diff := cmp.Diff(want, id); diff != "" {
		t.Error(diff)
	}
}

func TestAcceptClaims(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret, Audience: "chat"})
	for name, changes := range map[string]map[string]any{
		"expired by less than the leeway": {"exp": now.Add(-29 * time.Second).Unix()},
		"nbf within the leeway":           {"nbf": now.Add(30 * time.Second).Unix()},
		"iat within the leeway":           {"iat": now.Add(30 * time.Second).Unix()},
		"iat missing":                     {"iat": nil},
		"aud list that holds us":          {"aud": []string{"a", "chat"}},
		"sub of 255 bytes":                {"sub": strings.Repeat("x", 255)},
		"null where optional":             {"email": json.RawMessage("null"), "role": json.RawMessage("null")},
	} {
		t.Run(name, func(t *testing.T) {
			set := map[string]any{"aud": "chat"}
			maps.Copy(set, changes)
			id, err := j.Verify(t.Context(), mint(set))
			if err != nil {
				t.Fatal(err)
			}
			if want := claimSet(changes)["sub"]; id.UserID != want || id.Roles != nil || id.Email != "" {
				t.Errorf("identity %+v", id)
			}
		})
	}
}

// What a header may hold besides alg and kid is ignored, and JSON has more than
// one way to write the same.
func TestAcceptOddTokens(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret})
	deep := `{"sub":"u1","exp":4000000000,"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`
	for name, token := range map[string]string{
		"no typ":                    withHeader(`{"alg":"HS256"}`),
		"typ at+jwt":                withHeader(`{"alg":"HS256","typ":"at+jwt"}`),
		"typ number":                withHeader(`{"alg":"HS256","typ":7}`),
		"cty":                       withHeader(`{"alg":"HS256","cty":"application/json"}`),
		"zip of what is not zipped": withHeader(`{"alg":"HS256","zip":"DEF"}`),
		"kid without a use":         withHeader(`{"alg":"HS256","kid":"../../etc/passwd"}`),
		"kid of 255 bytes":          withHeader(`{"alg":"HS256","kid":"` + strings.Repeat("k", 255) + `"}`),
		"jku":                       withHeader(`{"alg":"HS256","jku":"https://evil.example/jwks"}`),
		"alg with escapes":          withHeader(`{"\u0061lg":"\u0048S256"}`),
		"spaces":                    withHeader(" {\t\"alg\" :\r\n\"HS256\" } "),
		"exp with an exponent":      hs256(`{"sub":"u1","exp":4e9}`),
		"exp with a fraction":       hs256(`{"sub":"u1","exp":4000000000.75}`),
		"iat and nbf null":          hs256(`{"sub":"u1","exp":4e9,"iat":null,"nbf":null}`),
		"nested lists":              hs256(deep),
		"256 claims":                hs256(`{"sub":"u1","exp":4e9` + strings.Join(slices.Collect(numbered(`,"%d":0`, 254)), "") + `}`),
		"sub with escapes":          hs256(`{"sub":"\u00751","exp":4e9}`),
	} {
		if id, err := j.Verify(t.Context(), token); err != nil || id.UserID != "u1" {
			t.Errorf("%s: %v, %v", name, id, err)
		}
	}
	for _, token := range []string{hs256(`{"sub":"\ufffd","exp":4e9}`), hs256("{\"sub\":\"\uFFFD\",\"exp\":4e9}")} {
		if id, err := j.Verify(t.Context(), token); err != nil || id.UserID != "\uFFFD" {
			t.Errorf("%v, %v: want U+FFFD, however it is written", id, err)
		}
	}
}

// Keys that a token brings are not read, so they cannot spoil a good one.
func TestAcceptWithKeysFromToken(t *testing.T) {
	t.Parallel()
	v := newJWT(t, Options{PublicKey: publicPEM(rsaKey().Public())})
	for _, c := range ownKeys() {
		header := must(base64.RawURLEncoding.DecodeString(c.token[:strings.IndexByte(c.token, '.')]))
		if _, err := v.Verify(t.Context(), compact(string(header), goodClaims(), jwt.SigningMethodRS256, rsaKey())); err != nil {
			t.Errorf("%s, signed with our key: %v", c.name, err)
		}
	}
}

func TestRoleClaims(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret})
	for _, c := range []struct {
		role, roles any
		want        []string
	}{
		{nil, nil, nil},
		{"a", nil, []string{"a"}},
		{nil, "a", []string{"a"}},
		{nil, []string{}, nil},
		{"a", []string{}, []string{"a"}},
		{"a", []string{"b", "c"}, []string{"b", "c", "a"}},
		{"a", []string{"a", "b"}, []string{"a", "b"}},
		{nil, []string{"a", "b", "a"}, []string{"a", "b"}},
	} {
		id, err := j.Verify(t.Context(), mint(map[string]any{"role": c.role, "roles": c.roles}))
		if err != nil || !slices.Equal(id.Roles, c.want) {
			t.Errorf("role %v, roles %v: %+v, %v; want %v", c.role, c.roles, id, err, c.want)
		}
	}
}

// At the edges, to the second: the leeway is 30 s.
func TestRefusedAtTheLeeway(t *testing.T) {
	t.Parallel()
	at := func(claim string, d time.Duration) string { return mint(map[string]any{claim: now.Add(d).Unix()}) }
	checkRefusals(t, newJWT(t, Options{HMACSecret: secret}), []refusal{
		{"expired by the leeway and 1 s", at("exp", -31*time.Second), ReasonExpired},
		{"expired by the leeway", at("exp", -30*time.Second), ReasonExpired},
		{"nbf in the leeway and 1 s", at("nbf", 31*time.Second), ReasonNotYetValid},
		{"iat in the leeway and 1 s", at("iat", 31*time.Second), ReasonNotYetValid},
	})
}

func TestLeeway(t *testing.T) {
	t.Parallel()
	old := mint(map[string]any{"exp": now.Unix()})
	none := newJWT(t, Options{HMACSecret: secret, Leeway: -2 * time.Hour})
	if _, err := none.Verify(t.Context(), old); !errors.Is(err, ErrExpired) {
		t.Errorf("no leeway: %v", err)
	}
	if _, err := none.Verify(t.Context(), mint(nil)); err != nil {
		t.Errorf("no leeway, good for an hour: %v", err)
	}
	second := newJWT(t, Options{HMACSecret: secret, Leeway: time.Second})
	if _, err := second.Verify(t.Context(), old); err != nil {
		t.Errorf("leeway of a second: %v", err)
	}
}

func TestClockIsRead(t *testing.T) {
	t.Parallel()
	at := now
	j := newJWT(t, Options{HMACSecret: secret, Now: func() time.Time { return at }})
	token := mint(nil)
	if _, err := j.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	at = now.Add(time.Hour + 30*time.Second)
	if _, err := j.Verify(t.Context(), token); ReasonOf(err) != ReasonExpired {
		t.Errorf("an hour later: %v", err)
	}
}

func TestClaimNames(t *testing.T) {
	t.Parallel()
	const claims = `{"exp":1772370000, "user":{"id":"u1"}, "realm_access":{"roles":["a"]}, "perm.list":["p"],
		"https://app.example/claims":{"topics":["t:*"],"mail.address":"u1@example.com"}, "sub":7.5}`
	id, err := newJWT(t, Options{HMACSecret: secret, Claims: ClaimNames{
		UserID:      "user.id",
		Role:        "realm_access.none",
		Roles:       "realm_access.roles",
		Permissions: "perm.list",
		Topics:      "https://app.example/claims.topics",
		Email:       "https://app.example/claims.mail.address",
	}}).Verify(t.Context(), hs256(claims))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{id.UserID, id.Roles[0], id.Permissions[0], id.Topics[0], id.Email}
	if diff := cmp.Diff([]string{"u1", "a", "p", "t:*", "u1@example.com"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestClaimPathRefusals(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret, Claims: ClaimNames{UserID: "user.id", Roles: "access.roles"}})
	checkRefusals(t, j, []refusal{
		{"path into a string", hs256(`{"exp":4e9,"user":"u1"}`), ReasonSubject},
		{"duplicate on the path", hs256(`{"exp":4e9,"user":{"id":"a","id":"b"}}`), ReasonSubject},
	})
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	p521 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	for _, c := range []struct {
		alg      string
		override string
		key      crypto.Signer
	}{
		{"RS256", "", rsaKey()},
		{"RS512", "RS512", rsaKey()},
		{"PS256", "PS256", rsaKey()},
		{"ES256", "", ecKey()},
		{"ES384", "", p384},
		{"ES512", "ES512", p521},
		{"EdDSA", "", edKey()},
	} {
		t.Run(c.alg, func(t *testing.T) {
			t.Parallel()
			j := newJWT(t, Options{PublicKey: publicPEM(c.key.Public()), Algorithm: c.override})
			// A key that is configured has no id: the token's does not matter.
			for _, kid := range []string{"", "any"} {
				if _, err := j.Verify(t.Context(), signed(c.alg, kid, c.key)); err != nil {
					t.Errorf("kid %q: %v", kid, err)
				}
			}
		})
	}
}

func TestHMACAlgorithms(t *testing.T) {
	t.Parallel()
	long := []byte(strings.Repeat("k", 64))
	claims := string(must(json.Marshal(claimSet(nil))))
	for _, alg := range []string{"HS384", "HS512"} {
		j := newJWT(t, Options{HMACSecret: long, Algorithm: alg})
		if _, err := j.Verify(t.Context(), compact(`{"alg":"`+alg+`"}`, claims, jwt.GetSigningMethod(alg), long)); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		_, err := j.Verify(t.Context(), compact(`{"alg":"HS256"}`, claims, jwt.SigningMethodHS256, long))
		if ReasonOf(err) != ReasonAlgorithm {
			t.Errorf("HS256 where %s is configured: %v", alg, err)
		}
	}
}

func TestSeveralKeys(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret, PublicKey: publicPEM(rsaKey().Public()), Algorithm: "PS384"})
	for alg, token := range map[string]string{"HS256": mint(nil), "PS384": signed("PS384", "", rsaKey())} {
		if _, err := j.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestPEMForms(t *testing.T) {
	t.Parallel()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert := must(x509.CreateCertificate(rand.Reader, template, template, rsaKey().Public(), rsaKey()))
	for name, block := range map[string]*pem.Block{
		"PKCS #1":     {Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)},
		"certificate": {Type: "CERTIFICATE", Bytes: cert},
	} {
		j := newJWT(t, Options{PublicKey: pem.EncodeToMemory(block)})
		if _, err := j.Verify(t.Context(), signed("RS256", "", rsaKey())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	rsaPEM := publicPEM(rsaKey().Public())
	small := publicPEM(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537})
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(rsaKey()))})
	for _, c := range []struct {
		name string
		o    Options
		text string // what the error must say
	}{
		{"nothing", Options{}, "set HMACSecret, PublicKey or JWKSURL"},
		{"short secret", Options{HMACSecret: secret[:31]}, "31 bytes are too few for HS256, use 32"},
		{"short secret for HS512", Options{HMACSecret: secret, Algorithm: "HS512"}, "too few for HS512, use 64"},
		{"unknown algorithm", Options{HMACSecret: secret, Algorithm: "HS257"}, `"HS257" is not supported`},
		{"none", Options{PublicKey: rsaPEM, Algorithm: "none"}, `"none" is not supported`},
		{"HS256 for an RSA key", Options{PublicKey: rsaPEM, Algorithm: "HS256"}, "does not fit"},
		{"RS256 for a secret", Options{HMACSecret: secret, Algorithm: "RS256"}, "does not fit"},
		{"HS256 for a key set", Options{JWKSURL: "https://id.example/jwks", Algorithm: "HS256"}, "does not fit"},
		{"no PEM", Options{PublicKey: []byte("key")}, "no PEM block"},
		{"two PEM blocks", Options{PublicKey: append(rsaPEM[:len(rsaPEM):len(rsaPEM)], rsaPEM...)}, "more than one PEM block"},
		{"private key", Options{PublicKey: private}, "a private key must stay with the issuer"},
		{"broken key", Options{PublicKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY"})}, "public key"},
		{"broken certificate", Options{PublicKey: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"})}, "public key"},
		{"small RSA key", Options{PublicKey: small}, "1024 bits are too few"},
		{"other curve", Options{PublicKey: publicPEM(p224.Public())}, "curve P-224 is not supported"},
		{"http", Options{JWKSURL: "http://id.example/jwks"}, "want https"},
		{"http to what looks like loopback", Options{JWKSURL: "http://localhost.example/jwks"}, "want https"},
		{"other scheme", Options{JWKSURL: "file:///jwks.json"}, "not an absolute URL"},
		{"no URL", Options{JWKSURL: "://"}, "not an absolute URL"},
	} {
		j, err := New(c.o)
		if err == nil {
			_ = j.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "auth: ") || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.text)
		}
	}
	if _, err := usualAlgorithm("text"); err == nil {
		t.Error("a string is a key")
	}
}

func TestMint(t *testing.T) {
	t.Parallel()
	if _, err := Mint(secret[:31], nil); err == nil || !strings.HasPrefix(err.Error(), "auth: mint: ") {
		t.Errorf("short secret: %v", err)
	}
	if _, err := Mint(secret, map[string]any{"sub": func() {}}); err == nil {
		t.Error("a function became JSON")
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	token := must(Mint([]byte(strings.Repeat("x", 32)), map[string]any{"sub": "u1"}))
	header, claims, err := Inspect(token)
	if string(header) != `{"alg":"HS256","typ":"JWT"}` || string(claims) != `{"sub":"u1"}` || err != nil {
		t.Errorf("Inspect = %s, %s, %v", header, claims, err)
	}
	for token, reason := range map[string]Reason{
		"":                                     ReasonMissing,
		"a.b":                                  ReasonMalformed,
		encode("{}") + "." + encode("1") + ".": ReasonMalformed,
	} {
		if _, _, err := Inspect(token); ReasonOf(err) != reason {
			t.Errorf("Inspect(%q): %v, want %q", token, err, reason)
		}
	}
}
