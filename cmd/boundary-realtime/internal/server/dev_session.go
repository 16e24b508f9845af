package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"boundary-app.org/realtime/internal/strictjson"
	"boundary-app.org/realtime/wire"
)

// sessionRequest is the body of POST /dev/session, a JSON object. All members are
// optional; others are refused.
type sessionRequest struct {
	// user is the user of the token. Without a user the answer has no token.
	user string
	// roles are added to those that the configuration requires.
	roles []string
	// topics are the patterns of the token's topics claim: the client may subscribe
	// only to topics that match. An empty list allows no topic. Without the member the
	// token allows every topic.
	topics []string
}

// sessionAnswer is the answer of POST /dev/session.
type sessionAnswer struct {
	APIKey string `json:"apiKey"`
	Token  string `json:"token,omitempty"`
}

// maxSession is the largest body of a request for a session in bytes.
const maxSession = 4 << 10

// session returns the API key and, if the request has a user, a token, to the page and to
// programs of this machine. An invalid request gets 400 and a text; a page of another
// origin, also of another port of this machine, gets 403.
func (d *devMode) session(w http.ResponseWriter, r *http.Request) {
	// A form cannot send JSON. A script of another origin needs a preflight for it,
	// which is never granted.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" || !ownOrigin(r) {
		http.Error(w, "only the page of this server may ask, with JSON", http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSession))
	if err != nil {
		http.Error(w, "the body is too long, or has not come", http.StatusBadRequest)
		return
	}
	asked, err := parseSession(body)
	if err != nil {
		http.Error(w, fmt.Sprintf(`send {"user": "alice", "roles": ["admin"], "topics": ["order:*"]}: %v`, err), http.StatusBadRequest)
		return
	}
	answer := sessionAnswer{APIKey: d.apiKey}
	if asked.user != "" {
		if answer.Token, err = d.token(asked.user, asked.roles, asked.topics, time.Now()); err != nil {
			http.Error(w, fmt.Sprintf("no token: %v", err), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer) // the client has gone
}

func parseSession(body []byte) (asked sessionRequest, err error) {
	var members map[string]json.RawMessage
	if err := strictjson.Check(body); err != nil {
		return asked, err
	}
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return asked, errors.New("the body must be a JSON object")
	}
	asked.topics = []string{anyTopic}
	for name, value := range members {
		switch name {
		case "user":
			asked.user, err = parseName(value)
		case "roles":
			asked.roles, err = parseNames(value)
		case "topics":
			asked.topics, err = parsePatterns(value)
		default:
			err = errors.New("there is no such member")
		}
		if err != nil {
			return asked, fmt.Errorf("%q: %w", name, err)
		}
	}
	return asked, nil
}

func parsePatterns(raw json.RawMessage) ([]string, error) {
	patterns, err := parseNames(raw)
	for _, pattern := range patterns {
		if i := strings.IndexByte(pattern, '*'); i >= 0 && i < len(pattern)-1 {
			return nil, fmt.Errorf(`%q has "*" before its end`, pattern)
		}
	}
	return patterns, err
}

func parseNames(raw json.RawMessage) ([]string, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return nil, errors.New("it must be a list")
	}
	names := []string{}
	for _, item := range list {
		name, err := parseName(item)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func parseName(raw json.RawMessage) (string, error) {
	name, err := strictjson.Unquote(raw)
	if err != nil {
		return "", err
	}
	return name, wire.CheckTarget("name", name)
}

// ownOrigin reports whether the request is from the server's own page, or from a program
// that is not a browser, which sends no origin.
func ownOrigin(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	u, err := url.Parse(origins[0])
	return err == nil && len(origins) == 1 && u.Host == r.Host
}
