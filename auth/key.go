package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

const (
	minSecret  = 32   // bytes
	minRSABits = 2048 // RFC 7518, section 3.3
	maxRSABits = 8192 // as in crypto/tls: a longer key makes every verification take milliseconds
)

// key is a key together with its one algorithm. The token does not choose the
// algorithm: this prevents the confusion attacks of RFC 8725, sections 2.1 and 3.1.
type key struct {
	id       string // kid; empty for a key that has none
	method   jwt.SigningMethod
	material any
}

func (k *key) verify(signed string, signature []byte) error {
	if err := k.method.Verify(signed, signature, k.material); err != nil {
		return refuse(ReasonSignature, "not signed with the %s key", k.method.Alg())
	}
	return nil
}

// uses reports whether k is not nil and has the algorithm.
func (k *key) uses(alg string) bool { return k != nil && k.method.Alg() == usualName(alg) }

// equals reports whether two public keys verify the same signatures.
func (k *key) equals(other *key) bool {
	public, ok := k.material.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.method == other.method && public.Equal(other.material)
}

// usualName returns EdDSA for its other name Ed25519 (RFC 9864, section 2.2), and any
// other name unchanged.
func usualName(alg string) string {
	if alg == "Ed25519" {
		return "EdDSA"
	}
	return alg
}

// signingMethod returns nil for an unsupported algorithm, such as "none".
func signingMethod(alg string) jwt.SigningMethod {
	switch alg := usualName(alg); alg {
	case "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512", "EdDSA":
		return jwt.GetSigningMethod(alg)
	}
	return nil
}

// kindOf returns the kind of key that an algorithm needs: RS256 and PS512 are both for
// RSA keys (RFC 7518, section 6.1).
func kindOf(alg string) jwkset.KTY {
	switch {
	case isHMAC(alg):
		return jwkset.KtyOct
	case isRSA(alg):
		return jwkset.KtyRSA
	case usualName(alg) == "EdDSA":
		return jwkset.KtyOKP
	}
	return jwkset.KtyEC
}

func isHMAC(alg string) bool { return alg == "HS256" || alg == "HS384" || alg == "HS512" }

// newSecretKey uses alg if it is an HMAC algorithm, else HS256. The secret must be as
// long as the hash (RFC 7518, section 3.2).
func newSecretKey(secret []byte, alg string) (*key, error) {
	if !isHMAC(alg) {
		alg = "HS256"
	}
	method := jwt.GetSigningMethod(alg).(*jwt.SigningMethodHMAC)
	if need := max(minSecret, method.Hash.Size()); len(secret) < need {
		return nil, fmt.Errorf("HMAC secret: %d bytes are too few for %s, use %d random bytes or more",
			len(secret), alg, need)
	}
	return &key{method: method, material: bytes.Clone(secret)}, nil
}

// newPublicKey uses alg if it fits the kind of key, else the default algorithm of that
// kind.
func newPublicKey(id string, material any, alg string) (*key, error) {
	usual, err := usualAlgorithm(material)
	if err != nil {
		return nil, err
	}
	method := signingMethod(usual)
	// An RSA key fits several algorithms; the curve of other keys determines theirs.
	if usual == "RS256" && isRSA(alg) {
		method = signingMethod(alg)
	}
	return &key{id: id, method: method, material: material}, nil
}

func isRSA(alg string) bool {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return true
	}
	return false
}

func usualAlgorithm(material any) (string, error) {
	switch k := material.(type) {
	case *rsa.PublicKey:
		return "RS256", checkRSA(k)
	case *ecdsa.PublicKey:
		switch bits := k.Curve.Params().BitSize; bits {
		case 256:
			return "ES256", nil
		case 384:
			return "ES384", nil
		case 521:
			return "ES512", nil
		}
		return "", fmt.Errorf("ECDSA key: curve %s is not supported, use P-256, P-384 or P-521", k.Curve.Params().Name)
	case ed25519.PublicKey:
		return "EdDSA", nil
	}
	return "", fmt.Errorf("key of type %T is not supported, use RSA, ECDSA or Ed25519", material)
}

func checkRSA(k *rsa.PublicKey) error {
	switch bits := k.N.BitLen(); {
	case bits < minRSABits:
		return fmt.Errorf("RSA key: %d bits are too few, use %d or more", bits, minRSABits)
	case bits > maxRSABits:
		return fmt.Errorf("RSA key: %d bits are too many, use %d or fewer", bits, maxRSABits)
	}
	return nil
}

// parsePEM returns the one public key in data.
func parsePEM(data []byte) (any, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block found, want one that begins with -----BEGIN PUBLIC KEY-----")
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, errors.New("more than one PEM block: give one key, or several in a JWKS")
	}
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("PEM block %q is not a public key or certificate; a private key must stay with the issuer", block.Type)
}
