package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"boundary-app.org/realtime/internal/loglimit"
)

const defaultLeeway = 30 * time.Second

// Options configure New. At least one of HMACSecret, PublicKey and JWKSURL must
// be set; with several, each token is verified with the one key it is for.
type Options struct {
	// HMACSecret verifies HS256: 32 random bytes or more, for HS384 and HS512
	// 48 and 64 (RFC 7518, section 3.2).
	HMACSecret []byte
	// PublicKey is one PEM block with an RSA (2048 to 8192 bits), ECDSA (P-256,
	// P-384, P-521) or Ed25519 public key, or a certificate, of which only the
	// key counts. It verifies tokens without a kid, and tokens whose kid is not
	// in the JWKS.
	PublicKey []byte
	// JWKSURL is the URL of the issuer's key set: https, or http on loopback (see
	// AllowHTTP). New fetches it in the background, at most 64 KiB within 2 s and
	// without redirects, every 5 minutes, and for a token whose key is unknown, but then
	// at most once in 30 s; in between such a token is ErrUnavailable. A key is unknown
	// if no key with the token's kid (for a token without kid: no key at all) is of the
	// kind that its alg needs: RSA, EC or OKP. A failed fetch changes nothing. Keys are
	// looked up by kid and algorithm, and up to 4 keys with both in common are tried; a
	// token without kid is for the only key with its algorithm. Symmetric and private
	// keys in the set are ignored, private ones with an error in the log.
	JWKSURL string
	// AllowHTTP allows http in JWKSURL for any host, for an issuer in the same cluster.
	// An attacker who can change the traffic can then forge every token: New logs a warning.
	AllowHTTP bool
	// Algorithm replaces the default algorithm of the keys it fits. The defaults are
	// HS256, RS256, ES256 (P-256), ES384, ES512 and EdDSA (also called Ed25519; tokens
	// and keys may use either name). HS384 and HS512 fit a secret; RS384, RS512, PS256,
	// PS384 and PS512 fit RSA keys.
	Algorithm string

	Issuer   string // if set, the iss claim must equal it
	Audience string // if set, the aud claim must equal or contain it
	Claims   ClaimNames
	// Leeway is the largest difference to the issuer's clock: 0 means 30 s, negative
	// means none.
	Leeway time.Duration

	// Previous is the verifier that the new one replaces; nil means none. With the same
	// JWKSURL and Algorithm the new one starts with the last key set of Previous, so that
	// tokens verify while the issuer is down. New only reads that set: close Previous
	// when it is no longer used.
	Previous *JWT

	Now    func() time.Time // nil: time.Now. Safe for concurrent use
	Client *http.Client     // for JWKSURL; nil: http.DefaultClient. Its CheckRedirect is not used
	Log    *slog.Logger     // for fetches, and for unreadable claims at debug; nil: slog.Default()
}

// JWT verifies JSON Web Tokens in compact form. It is a Verifier.
type JWT struct {
	secret *key  // nil: none
	public *key  // nil: none
	remote *jwks // nil: none
	policy policy
	now    func() time.Time
}

// New returns a verifier for the given keys, or an error that names the wrong option.
// It does not block: with a JWKSURL it starts the first fetch, and Verify waits for it,
// so that a server starts while the issuer is down. Call Close when done.
func New(o Options) (*JWT, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	j := &JWT{
		policy: policy{o.Issuer, o.Audience, o.Claims.withDefaults(), leeway(o.Leeway), loglimit.New(o.Log)},
		now:    o.Now,
	}
	if j.now == nil {
		j.now = time.Now
	}
	if err := j.addKeys(o); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	if j.remote != nil {
		j.remote.start()
	}
	return j, nil
}

func leeway(d time.Duration) time.Duration {
	return max(0, cmp.Or(d, defaultLeeway))
}

func (j *JWT) addKeys(o Options) (err error) {
	if len(o.HMACSecret) == 0 && len(o.PublicKey) == 0 && o.JWKSURL == "" {
		return errors.New("no key: set HMACSecret, PublicKey or JWKSURL")
	}
	if o.Algorithm != "" && signingMethod(o.Algorithm) == nil {
		return fmt.Errorf("algorithm %q is not supported, use HS256, HS384, HS512, RS256, RS384, RS512, "+
			"PS256, PS384, PS512, ES256, ES384, ES512, EdDSA or Ed25519", o.Algorithm)
	}
	if len(o.HMACSecret) > 0 {
		if j.secret, err = newSecretKey(o.HMACSecret, o.Algorithm); err != nil {
			return err
		}
	}
	if len(o.PublicKey) > 0 {
		if j.public, err = newPEMKey(o.PublicKey, o.Algorithm); err != nil {
			return fmt.Errorf("public key: %w", err)
		}
	}
	if o.JWKSURL != "" {
		if j.remote, err = newJWKS(o); err != nil {
			return fmt.Errorf("JWKS URL: %w", err)
		}
	}
	return j.checkAlgorithm(o.Algorithm)
}

func newPEMKey(data []byte, alg string) (*key, error) {
	material, err := parsePEM(data)
	if err != nil {
		return nil, err
	}
	return newPublicKey("", material, alg)
}

// keySource returns the fetched key set, nil for none. J may be nil.
func (j *JWT) keySource() *jwks {
	if j == nil {
		return nil
	}
	return j.remote
}

// checkAlgorithm refuses an algorithm that no key uses: it is a mistake, perhaps a
// dangerous one.
func (j *JWT) checkAlgorithm(alg string) error {
	if alg == "" || j.secret.uses(alg) || j.public.uses(alg) || j.remote != nil && !isHMAC(alg) {
		return nil
	}
	return fmt.Errorf("algorithm %q does not fit the key", alg)
}

// Verify returns the identity of a token. An error is an Error, which matches
// ErrUnauthorized, or matches ErrUnavailable, or wraps the error of ctx.
//
// Verify takes microseconds, unless the key set lacks the key of the token: then it may
// wait for a fetch, at most 2 s.
func (j *JWT) Verify(ctx context.Context, token string) (*Identity, error) {
	s, err := split(token)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(s.header)
	if err != nil {
		return nil, err
	}
	// The form is checked before the key is looked up, so that garbage causes no fetch.
	// The claims are checked after the signature, so that a forged token is refused for
	// its signature.
	var buf [24]member
	claims, err := appendObject(buf[:0], s.claims)
	if err != nil {
		return nil, j.policy.names.refuseClaims(err)
	}
	if err := j.checkSignature(ctx, h, s); err != nil {
		return nil, err
	}
	return j.policy.identity(claims, s.claims, j.now())
}

// checkSignature looks up the keys that fit the token, and tries them.
func (j *JWT) checkSignature(ctx context.Context, h header, s segments) error {
	switch {
	case signingMethod(h.alg) == nil:
		return refuse(ReasonAlgorithm, "alg is not one that is supported")
	case isHMAC(h.alg):
		return tryKey(j.secret, h, s)
	case j.remote == nil, h.kid == "" && j.public.uses(h.alg):
		return tryKey(j.public, h, s)
	}
	keys, err := j.remote.keys(ctx, h)
	if err == nil {
		return tryKeys(keys, s)
	}
	if !j.public.uses(h.alg) {
		return err
	}
	// The configured key has no kid, so it may be the key of this token, too.
	own := j.public.verify(s.signed, s.signature)
	if own == nil || errors.Is(err, ErrUnauthorized) {
		return own
	}
	return err
}

// tryKey verifies with the configured key, which may be nil.
func tryKey(k *key, h header, s segments) error {
	if !k.uses(h.alg) {
		return refuse(ReasonAlgorithm, "alg is not that of the key")
	}
	return k.verify(s.signed, s.signature)
}

// tryKeys returns nil if one of keys verifies the signature.
func tryKeys(keys []*key, s segments) (err error) {
	for _, k := range keys {
		if err = k.verify(s.signed, s.signature); err == nil {
			return nil
		}
	}
	return err
}

// Close stops fetching keys and waits for its goroutines. Verify continues with the keys
// it has. Close may be called again; its error is always nil.
func (j *JWT) Close() error {
	if j.remote != nil {
		j.remote.close()
	}
	return nil
}
