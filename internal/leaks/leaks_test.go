package leaks_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"boundary-app.org/realtime/internal/leaks"
)

func encode(part string) string { return base64.RawURLEncoding.EncodeToString([]byte(part)) }

// The search is worth something: it finds what is planted, whole, cut and encoded.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	secret := []byte("a-secret-of-32-octets-for-tokens")
	good := strings.Join([]string{
		encode(`{"alg":"HS256","typ":"JWT"}`), encode(`{"sub":"u1","email":"person@mail.example"}`), encode("a signature that nobody can guess"),
	}, ".")
	parts := strings.Split(good, ".")
	secrets := leaks.Secrets{"secret": string(secret), "email": "person@mail.example"}
	secrets.AddToken("token", good)
	const noise = `{"level":"ERROR","msg":"a connection was refused","url":"/ws?token=%s"}` + "\n"
	for name, planted := range map[string]string{
		"token":               good,
		"its beginning":       good[:len(parts[0])+30],
		"its signature":       parts[2],
		"its signature's end": parts[2][len(parts[2])-24:],
		"its claims":          parts[1][:30],
		"escaped":             url.QueryEscape("Bearer " + good),
		"secret":              string(secret),
		"secret in base64":    base64.StdEncoding.EncodeToString(secret),
		"secret in hex":       hex.EncodeToString(secret),
		"secret in octets":    fmt.Sprint(secret),
		"email":               "<person@mail.example>",
		"email in octets":     fmt.Sprint([]byte(`"person@mail.example"`)),
	} {
		if len(secrets.ShownIn(fmt.Sprintf(noise, planted))) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
	if found := secrets.ShownIn(fmt.Sprintf(noise, parts[0]) + "u1 mail.example"); len(found) > 0 {
		t.Errorf("%q found where nothing is", found)
	}
}
