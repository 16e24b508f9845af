package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// Asked is a request for a session of a server in dev mode.
type Asked struct {
	User   string   `json:"user,omitempty"`
	Roles  []string `json:"roles,omitempty"`
	Topics []string `json:"topics,omitempty"` // empty means all
}

// Session is the answer of a server in dev mode to a program on the same machine.
type Session struct {
	APIKey config.Secret `json:"apiKey"`
	Token  config.Secret `json:"token"` // empty if the request has no user
}

// ErrNotDev reports a server that is not in dev mode.
var ErrNotDev = errors.New("the server is not in dev mode")

// IsLocal reports whether the server at base is on this machine.
func IsLocal(base string) bool {
	u, err := url.Parse(base)
	return err == nil && config.IsLoopback(u.Host)
}

// DevSession requests a session from the server at base.
func DevSession(ctx context.Context, base string, asked Asked) (s Session, err error) {
	body, err := json.Marshal(asked)
	if err != nil {
		return s, err
	}
	answer, err := New(base, "").Call(ctx, http.MethodPost, "/dev/session", body)
	problem, refused := errors.AsType[*Problem](err)
	if refused && problem.Code == "" && strings.HasPrefix(problem.Status, "400 ") {
		return s, problem // the server is in dev mode and refuses the request
	}
	if refused {
		return s, fmt.Errorf("%w, or did not give a session: %w", ErrNotDev, problem)
	}
	if err != nil {
		return s, err
	}
	if json.Unmarshal(answer, &s) != nil || s.APIKey == "" {
		return s, ErrNotDev
	}
	return s, nil
}
