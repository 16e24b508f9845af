package realtimetest

import (
	"context"
	"crypto/rand"
	"maps"
	"sync"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
)

// Verifier returns a verifier that accepts exactly one token, for id, and
// refuses every other with an error that matches realtime.ErrUnauthorized.
func Verifier(token string, id realtime.Identity) realtime.Verifier {
	v := &tokens{}
	v.add(token, id)
	return v
}

// tokens is a verifier with a fixed list of tokens.
type tokens struct {
	mu    sync.Mutex
	known map[string]realtime.Identity // guarded by mu; replaced, never changed
}

func (v *tokens) add(token string, id realtime.Identity) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known := maps.Clone(v.known)
	if known == nil {
		known = map[string]realtime.Identity{}
	}
	known[token] = id
	v.known = known
}

// issue returns a new token for id.
func (v *tokens) issue(id realtime.Identity) string {
	token := rand.Text()
	v.add(token, id)
	return token
}

// Verify looks the token up. Each connection gets an identity of its own.
func (v *tokens) Verify(_ context.Context, token string) (*realtime.Identity, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if id, ok := v.known[token]; ok {
		return &id, nil
	}
	if token == "" {
		return nil, &auth.Error{Reason: auth.ReasonMissing}
	}
	return nil, &auth.Error{Reason: auth.ReasonSignature}
}
