// Package token mints the HS256 tokens that the load client connects with, and
// verifies them for the servers that bring no verifier of their own.
//
// All of it is safe for concurrent use.
package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// SecretVariable names the environment variable that carries the HMAC secret
// from the runner to the servers and the load client.
const SecretVariable = "BENCH_JWT_SECRET"

// Param is the query parameter that carries the token.
const Param = "token"

type claims struct {
	Roles []string `json:"roles"`
	jwt.RegisteredClaims
}

// Secret reads the HMAC secret from the environment.
func Secret() ([]byte, error) {
	secret := os.Getenv(SecretVariable)
	if len(secret) < 32 {
		return nil, fmt.Errorf("token: set %s to at least 32 octets", SecretVariable)
	}
	return []byte(secret), nil
}

// User is the user id of the load client's connection i.
func User(i int) string { return "u" + strconv.Itoa(i) }

// Topic is the topic of a user, which has no other subscriber.
func Topic(user string) string { return "orders:" + user }

// Mint signs a token for user that is valid for an hour.
func Mint(secret []byte, user string, now time.Time) (string, error) {
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Roles: []string{"member", "editor"},
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:   user,
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
		},
	}).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	return signed, nil
}

// Verifier checks tokens in requests, in the way an application would with the
// same JWT library that the project uses.
type Verifier struct {
	secret []byte
	parser *jwt.Parser
}

// NewVerifier returns a verifier of HS256 tokens that must expire.
func NewVerifier(secret []byte) *Verifier {
	return &Verifier{
		secret: secret,
		parser: jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired()),
	}
}

// Verify returns the user that the request's token speaks for.
func (v *Verifier) Verify(r *http.Request) (user string, err error) {
	var c claims
	_, err = v.parser.ParseWithClaims(r.URL.Query().Get(Param), &c, v.key)
	if err != nil {
		return "", fmt.Errorf("token: verify: %w", err)
	}
	if c.Subject == "" {
		return "", errors.New("token: no subject")
	}
	return c.Subject, nil
}

func (v *Verifier) key(*jwt.Token) (any, error) { return v.secret, nil }

type userKey struct{}

// UserOf returns the user that Require has found.
func UserOf(ctx context.Context) string {
	user, _ := ctx.Value(userKey{}).(string)
	return user
}

// Require answers 401 to requests without a valid token and passes the others
// to next, with their user in the context.
func (v *Verifier) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := v.Verify(r)
		if err != nil {
			http.Error(w, "the token is missing or not valid", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}

// Protect is Require with the secret of the environment. It is for the main
// functions of servers: without a secret it ends the program.
func Protect(next http.Handler) http.Handler {
	secret, err := Secret()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return NewVerifier(secret).Require(next)
}
