package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const longSecret = "0123456789abcdef0123456789abcdef"

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, empty, rubbish := file("secret", longSecret+"\n"), file("empty", "\n"), file("rubbish", "no key")
	certificatePEM, _ := certificatePair(t)
	_, otherKeyPEM := certificatePair(t)
	certificate, otherKey := file("certificate", certificatePEM), file("otherKey", otherKeyPEM)
	with := func(more ...string) []string { return append(more, "REALTIME_JWT_HMAC_SECRET="+longSecret) }
	tests := []struct {
		name string
		env  []string
		want string // "" when it is good
	}{
		{"secret", with(), ""},
		{"secret in a file", []string{"REALTIME_JWT_HMAC_SECRET_FILE=" + secret}, ""},
		{"key set", []string{"REALTIME_JWKS_URL=https://issuer.example/keys"}, ""},
		{"dev", []string{"REALTIME_DEV=1"}, ""},
		{"dev on localhost, without admin", []string{"REALTIME_DEV=1", "REALTIME_LISTEN=localhost:0", "REALTIME_ADMIN_LISTEN=off"}, ""},
		{"origins", with("REALTIME_ALLOWED_ORIGINS=https://a.example, http://localhost:3000"), ""},
		{"nothing", nil, "no way to verify tokens: set REALTIME_JWT_HMAC_SECRET"},
		{"empty secret", []string{"REALTIME_JWT_HMAC_SECRET="}, "no way to verify tokens"},
		{"short secret", []string{"REALTIME_JWT_HMAC_SECRET=short"}, "5 bytes are too few for HS256"},
		{"two secrets", with("REALTIME_JWT_HMAC_SECRET_FILE=" + secret), "jwt_hmac_secret and jwt_hmac_secret_file are both set"},
		{"empty secret file", []string{"REALTIME_JWT_HMAC_SECRET_FILE=" + empty}, "the file is empty"},
		{"missing secret file", []string{"REALTIME_JWT_HMAC_SECRET_FILE=" + dir + "/none"}, "jwt_hmac_secret_file: no such file or directory: " + dir + "/none"},
		{"missing public key", []string{"REALTIME_JWT_PUBLIC_KEY_FILE=" + dir + "/none"}, "jwt_public_key_file: no such file or directory: " + dir + "/none"},
		{"bad public key", []string{"REALTIME_JWT_PUBLIC_KEY_FILE=" + rubbish}, "jwt_public_key_file: public key: no PEM block"},
		{"key set in the clear", []string{"REALTIME_JWKS_URL=http://issuer.example/keys"}, "jwks_url: JWKS URL: want https"},
		{"key set in the clear, how to allow it", []string{"REALTIME_JWKS_URL=http://issuer.example/keys"}, "set AllowHTTP (jwks_allow_http)"},
		{"key set in the clear, allowed", []string{"REALTIME_JWKS_URL=http://issuer.example/keys", "REALTIME_JWKS_ALLOW_HTTP=true"}, ""},
		{"algorithm that fits no key", with("REALTIME_JWT_ALGORITHM=RS256"), "jwt_algorithm: algorithm \"RS256\" does not fit the key"},
		{"unknown algorithm", with("REALTIME_JWT_ALGORITHM=none"), "is not supported"},
		{"two API keys", with("REALTIME_API_KEY=k", "REALTIME_API_KEY_FILE="+secret), "api_key and api_key_file are both set"},
		{"certificate without key", with("REALTIME_TLS_CERT_FILE=" + rubbish), "tls_key_file: it is missing; tls_cert_file is set, and they belong together"},
		{"key without certificate", with("REALTIME_TLS_KEY_FILE=" + rubbish), "tls_cert_file: it is missing; tls_key_file is set, and they belong together"},
		{"no private key", with("REALTIME_TLS_CERT_FILE="+certificate, "REALTIME_TLS_KEY_FILE="+rubbish), "tls_key_file: no private key found: " + rubbish},
		{"another private key", with("REALTIME_TLS_CERT_FILE="+certificate, "REALTIME_TLS_KEY_FILE="+otherKey), "tls_key_file: it is not the private key of the certificate in tls_cert_file"},
		{"missing certificate", with("REALTIME_TLS_CERT_FILE="+dir+"/none", "REALTIME_TLS_KEY_FILE="+otherKey), "configuration: tls_cert_file: no such file or directory: " + dir + "/none"},
		{"missing certificate key", with("REALTIME_TLS_CERT_FILE="+certificate, "REALTIME_TLS_KEY_FILE="+dir+"/none"), "configuration: tls_key_file: no such file or directory: " + dir + "/none"},
		{"short API key", with("REALTIME_API_KEY=" + longSecret + ",0123456789abcde"), "api_key: key 2 of 2 has 15 bytes; use 16 or more, so that it cannot be guessed; make one with: openssl rand -hex 16"},
		{"API key of the least length", with("REALTIME_API_KEY=0123456789abcdef"), ""},
		{"short API key in a file", with("REALTIME_API_KEY_FILE=" + rubbish), "api_key_file: key 1 of 1 has 6 bytes"},
		{"several keys, one bad", []string{"REALTIME_JWT_HMAC_SECRET=short", "REALTIME_JWKS_URL=https://issuer.example/keys"}, "jwt_hmac_secret: HMAC secret: 5 "},
		{"bad secret in a file", []string{"REALTIME_JWT_HMAC_SECRET_FILE=" + rubbish}, "jwt_hmac_secret_file: HMAC secret: 6 "},
		{"bad certificate", with("REALTIME_TLS_CERT_FILE="+rubbish, "REALTIME_TLS_KEY_FILE="+rubbish), "tls_cert_file: no certificate found: " + rubbish},
		{"origin with a path", with("REALTIME_ALLOWED_ORIGINS=https://a.example/app"), "is not an origin"},
		{"any origin", with("REALTIME_ALLOWED_ORIGINS=*"), `"*" is not an origin; list each as scheme://host or scheme://host:port`},
		{"any origin below", with("REALTIME_ALLOWED_ORIGINS=https://*.a.example"), "is not an origin"},
		{"origin without a scheme", with("REALTIME_ALLOWED_ORIGINS=a.example"), "is not an origin"},
		{"origin without a host", with("REALTIME_ALLOWED_ORIGINS=https://:443"), "is not an origin"},
		{"origin without its port", with("REALTIME_ALLOWED_ORIGINS=https://a.example:"), "is not an origin"},
		{"proxy protocol of no proxy", with("REALTIME_PROXY_PROTOCOL=on"), "set trusted_proxies to the addresses of the proxies"},
		{"proxy protocol", with("REALTIME_PROXY_PROTOCOL=on", "REALTIME_TRUSTED_PROXIES=10.0.0.0/8"), ""},
		{"small backlog", with("REALTIME_BACKLOG=1KiB"), "backlog (1KiB) is less than message_size (64KiB)"},
		{"dev for everybody", []string{"REALTIME_DEV=1", "REALTIME_LISTEN=:8080"}, "not a loopback address"},
		{"dev with an open admin listener", []string{"REALTIME_DEV=1", "REALTIME_ADMIN_LISTEN=0.0.0.0:0"}, "admin_listen"},
		{"dev with another algorithm", []string{"REALTIME_DEV=1", "REALTIME_JWT_ALGORITHM=RS256"}, "signs its tokens with HS256"},
		{"dev with a secret", with("REALTIME_DEV=1"), "unset REALTIME_JWT_HMAC_SECRET, or leave out --dev"},
		{"dev with files of keys", []string{"REALTIME_DEV=1", "REALTIME_JWT_HMAC_SECRET_FILE=" + secret, "REALTIME_API_KEY_FILE=" + secret}, "unset REALTIME_JWT_HMAC_SECRET_FILE, REALTIME_API_KEY_FILE, or"},
		{"dev with a public key", []string{"REALTIME_DEV=1", "REALTIME_JWT_PUBLIC_KEY_FILE=" + rubbish}, "unset REALTIME_JWT_PUBLIC_KEY_FILE, or"},
		{"dev with a key set", []string{"REALTIME_DEV=1", "REALTIME_JWKS_URL=https://issuer.example/keys"}, "unset REALTIME_JWKS_URL, or"},
		{"dev with an API key", []string{"REALTIME_DEV=1", "REALTIME_API_KEY=" + longSecret}, "unset REALTIME_API_KEY, or"},
		{"open admin listener without an API key", with("REALTIME_ADMIN_LISTEN=:8081"), "set REALTIME_API_KEY or REALTIME_API_KEY_FILE, or listen on 127.0.0.1"},
		{"open admin listener with an API key", with("REALTIME_ADMIN_LISTEN=:8081", "REALTIME_API_KEY="+longSecret), ""},
		{"a password for the key set", []string{"REALTIME_JWKS_URL=https://me:" + longSecret + "@issuer.example/keys"}, "jwks_url: it contains a user name or password"},
		{"a user name for the key set", []string{"REALTIME_JWKS_URL=https://" + longSecret + "@issuer.example/keys"}, "jwks_url: it contains a user name or password"},
		{"a secret as its file", []string{"REALTIME_JWT_HMAC_SECRET_FILE=" + longSecret}, "jwt_hmac_secret_file: no such file"},
		{"an API key as its file", with("REALTIME_API_KEY_FILE=" + longSecret), "api_key_file: no such file"},
		{"a key as its file", []string{"REALTIME_JWT_PUBLIC_KEY_FILE=" + longSecret}, "jwt_public_key_file: no such file"},
		{"a TLS key as its file", with("REALTIME_TLS_CERT_FILE="+longSecret, "REALTIME_TLS_KEY_FILE="+longSecret), "tls_key_file: no such file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := mustLoad(t, Sources{Environ: test.env}).Check()
			switch {
			case test.want == "" && err != nil:
				t.Errorf("check: %v, want no problem", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("check: %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), longSecret) {
				t.Error("the problem quotes the secret")
			}
		})
	}
}

// A problem with a setting of the file names the line, unless a stronger source
// has replaced it.
func TestCheckNamesTheLine(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "jwt_hmac_secret: "+longSecret+"\n\napi_key: short\nallowed_origins: [ '*' ]\nbacklog: 1KiB\n")
	places := []string{path + ":3: api_key: key 1 of 1", path + ":4: allowed_origins: ", path + ":5: backlog (1KiB) is less than"}
	err := mustLoad(t, Sources{File: path}).Check()
	for _, want := range places {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("check: %v, want %q", err, want)
		}
	}
	err = mustLoad(t, Sources{File: path, Environ: []string{"REALTIME_API_KEY=short"}}).Check()
	if err == nil || strings.Contains(err.Error(), ":3: ") || !strings.Contains(err.Error(), "\n  api_key: ") && !strings.Contains(err.Error(), ": api_key: ") {
		t.Errorf("check: %v, want no line of the file for a key of the environment", err)
	}
}

// certificatePair makes a certificate and its private key, as PEM.
func certificatePair(t *testing.T) (certificate, private string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	return block("CERTIFICATE", cert), block("PRIVATE KEY", pkcs8)
}

// An error names a path, and no secret that was given in its place.
func TestPathsAndSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, want := range map[string]bool{
		"/run/secrets/hmac": true, "/etc/realtime/tls.key": true, "./key": true, "../keys/key": true, "~/key": true, "keys/jwt.pem": true,
		"secret.txt": true, "JWT.PEM": true, "a-long-name-of-a-file-with-a-key-in-it.pem": true, dir + "/a-long-name-without-an-extension-in-it": true,
		"": false, "secret": false, longSecret: false, "hunter2": false, "correct.horse": false, "two words": false,
		"K7gNU3sdo+OL0wNhqoVWhrg3/yXy9yR8+pI=": false, "/7gNU3sdo/OL0wNhqoVWhrg3yXy9yR8pIzmKqkX3tQhhF7a2bUq0cWQzW7l8s5wR": false,
		"K7gNU3sdo/OL0wNhqoVWhrg3": false, "/" + longSecret: false, "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo": false,
		"-----BEGIN PRIVATE KEY-----\nMC4CAQAw/BQYDK2Vw\n.pem": false,
	} {
		if got := isPath(text); got != want {
			t.Errorf("isPath(%q) is %v", text, got)
		}
	}
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "one\ntwo\n\n")
	tests := []struct {
		env  string
		want []Secret
	}{
		{"REALTIME_API_KEY=one", []Secret{"one"}},
		{"REALTIME_API_KEY=one, two,", []Secret{"one", "two"}},
		{"REALTIME_API_KEY=,", nil},
		{"REALTIME_API_KEY=", nil},
		{"REALTIME_API_KEY_FILE=" + file, []Secret{"one", "two"}},
	}
	for _, test := range tests {
		keys, err := mustLoad(t, Sources{Environ: []string{test.env}}).APIKeys()
		if err != nil || len(keys) != len(test.want) {
			t.Fatalf("%s: %d keys (%v), want %d", test.env, len(keys), err, len(test.want))
		}
		for i, want := range test.want {
			if keys[i] != want {
				t.Errorf("%s: key %d is %q, want %q", test.env, i, string(keys[i]), string(want))
			}
		}
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.8.9.1:1": true, "localhost:80": true, "LOCALHOST": true, "[::1]:80": true, "[::1]": true, "127.0.0.1": true,
		":8080": false, "0.0.0.0:80": false, "192.168.1.1:80": false, "localhost.evil.example:80": false, "[::]:80": false, "": false, "127.0.0.1.evil.example": false,
	} {
		if got := IsLoopback(address); got != want {
			t.Errorf("IsLoopback(%q) is %v", address, got)
		}
	}
}
