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
	// HMACSecret verifies HS256: 32 random octets or more, for HS384 and HS512
	// 48 and 64 (RFC 7518, section 3.2).
	HMACSecret []byte
	// PublicKey is one PEM block with an RSA (2048 to 8192 bits), ECDSA (P-256,
	// P-384, P-521) or Ed25519 public key, or a certificate, of which only the
	// key counts. It verifies tokens without a kid, and tokens whose kid is not
	// in the JWKS.
	PublicKey []byte
	// JWKSURL is where the issuer publishes its key set: https, or http on
	// loopback. It is fetched in the background, at most 64 KiB within 2 s
	// without redirects, every 5 minutes, and for a kid it does not know, but
	// then at most once in 30 s. A fetch that fails changes nothing. Symmetric
	// and private keys in it are ignored, the latter with an error in the log.
	JWKSURL string
	// Algorithm is used by the keys it fits, instead of the usual one: HS256,
	// RS256, ES256 (P-256), ES384, ES512, EdDSA. It chooses HS384 or HS512 for a
	// secret, and RS384, RS512, PS256, PS384 or PS512 for RSA keys.
	Algorithm string

	Issuer   string // when set, the iss claim must equal it
	Audience string // when set, the aud claim must be it, or a list that holds it
	Claims   ClaimNames
	// Leeway is how far the issuer's clock may be off: 0 means 30 s, negative
	// means none.
	Leeway time.Duration

	Now    func() time.Time // nil: time.Now. Safe for concurrent use
	Client *http.Client     // for JWKSURL; nil: http.DefaultClient. Its CheckRedirect is not used
	Log    *slog.Logger     // for fetches, and claims that cannot be read (at debug); nil: slog.Default()
}

// JWT verifies JSON Web Tokens in compact form. It is a Verifier.
type JWT struct {
	secret *key  // nil: none
	public *key  // nil: none
	remote *jwks // nil: none
	policy policy
	now    func() time.Time
}

// New returns a verifier for the given keys, or an error that says which option
// is wrong. It does not block: with a JWKSURL it starts the first fetch and
// Verify waits for it, so an issuer that is down does not keep a server from
// starting. Call Close when done.
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
			"PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA", o.Algorithm)
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
		if j.remote, err = newJWKS(o, j.now); err != nil {
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

// checkAlgorithm refuses an algorithm that no key would use: it is a mistake,
// and maybe a dangerous one.
func (j *JWT) checkAlgorithm(alg string) error {
	if alg == "" || j.secret.uses(alg) || j.public.uses(alg) || j.remote != nil && !isHMAC(alg) {
		return nil
	}
	return fmt.Errorf("algorithm %q does not fit the key", alg)
}

// Verify returns the identity that token stands for. An error either matches
// ErrUnauthorized and is an Error, or matches ErrUnavailable, or wraps the
// error of ctx.
//
// It takes microseconds, unless the token names a key that the key set does not
// hold: then it may wait for a fetch, 2 s at most.
func (j *JWT) Verify(ctx context.Context, token string) (*Identity, error) {
	s, err := split(token)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(s.header)
	if err != nil {
		return nil, err
	}
	// The shape is checked before a key is looked for, so that rubbish causes no
	// fetch; the content after the signature, so that a forged token is called
	// forged.
	var buf [24]member
	claims, err := appendObject(buf[:0], s.claims)
	if err != nil {
		return nil, refuse(ReasonMalformed, "claims: %w", err)
	}
	k, err := j.key(ctx, h)
	if err != nil {
		return nil, err
	}
	if err := k.verify(s.signed, s.signature); err != nil {
		return nil, err
	}
	return j.policy.identity(claims, s.claims, j.now())
}

// key returns the key that the token says it is signed with.
func (j *JWT) key(ctx context.Context, h header) (*key, error) {
	if signingMethod(h.alg) == nil {
		return nil, refuse(ReasonAlgorithm, "alg is not one that is supported")
	}
	k, err := j.candidate(ctx, h)
	if err != nil {
		return nil, err
	}
	if !k.uses(h.alg) {
		return nil, refuse(ReasonAlgorithm, "alg is not that of the key")
	}
	return k, nil
}

// candidate may return nil: no key of the kind.
func (j *JWT) candidate(ctx context.Context, h header) (*key, error) {
	switch {
	case isHMAC(h.alg):
		return j.secret, nil
	case j.remote == nil, h.kid == "" && j.public != nil:
		return j.public, nil
	}
	k, err := j.remote.key(ctx, h.kid)
	if err != nil && j.public.uses(h.alg) {
		return j.public, nil
	}
	return k, err
}

// Close ends the fetching of keys and waits until no goroutine is left. Verify
// goes on with the keys it has. Close may be called again; its error is nil.
func (j *JWT) Close() error {
	if j.remote != nil {
		j.remote.close()
	}
	return nil
}
