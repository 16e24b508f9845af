package config

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"boundary-app.org/realtime/auth"
)

// MinAPIKey is the smallest length of an API key in bytes.
const MinAPIKey = 16

// checkAPIKeys refuses keys that are easy to guess.
func (c *Config) checkAPIKeys(problems *Problems) {
	keys, err := c.APIKeys()
	if err != nil {
		problems.add("%v", err)
		return
	}
	name := "api_key"
	if c.Access.APIKeyFile != "" {
		name = "api_key_file"
	}
	for i, key := range keys {
		if len(key) < MinAPIKey {
			problems.add("%s: key %d of %d has %d bytes; use %d or more, so that it cannot be guessed; make one with: openssl rand -hex 16",
				name, i+1, len(keys), len(key), MinAPIKey)
		}
	}
}

// checkVerifier makes a verifier of tokens, and adds a problem for the wrong setting.
func (c *Config) checkVerifier(options auth.Options, problems *Problems) {
	if u, err := url.Parse(c.JWT.JWKSURL); err == nil && u.User != nil {
		problems.add("jwks_url: it contains a user name or password, which is not supported; key sets are public, so publish it without")
		return
	}
	options.Log = slog.New(slog.DiscardHandler)
	options.Client = &http.Client{Transport: offline{}}
	whole := tryVerifier(options)
	if whole == nil {
		return
	}
	given := len(*problems)
	for _, part := range c.keyParts(options) {
		if HasKey(part.options) {
			if err := tryVerifier(part.options); err != nil {
				problems.add("%s: %s", part.setting, withoutPackage(err))
			}
		}
	}
	if len(*problems) == given { // each key is valid on its own
		problems.add("jwt_algorithm: %s", withoutPackage(whole))
	}
}

func withoutPackage(err error) string { return strings.TrimPrefix(err.Error(), "auth: ") }

// keyPart is one setting of keys, without the others.
type keyPart struct {
	setting string
	options auth.Options
}

func (c *Config) keyParts(all auth.Options) []keyPart {
	none := all
	none.HMACSecret, none.PublicKey, none.JWKSURL, none.Algorithm = nil, nil, "", ""
	secret, public, set := none, none, none
	secret.HMACSecret, public.PublicKey, set.JWKSURL = all.HMACSecret, all.PublicKey, all.JWKSURL
	name := "jwt_hmac_secret"
	if c.JWT.HMACSecretFile != "" {
		name = "jwt_hmac_secret_file"
	}
	return []keyPart{{name, secret}, {"jwt_public_key_file", public}, {"jwks_url", set}}
}

func tryVerifier(options auth.Options) error {
	verifier, err := auth.New(options)
	if err != nil {
		return err
	}
	return verifier.Close()
}

// offline prevents that a check fetches keys.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("config: a check does not use the network")
}
