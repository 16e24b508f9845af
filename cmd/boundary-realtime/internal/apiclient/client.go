package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

const (
	timeout   = 30 * time.Second
	maxAnswer = 64 << 20 // bytes
)

// Client calls the HTTP API of one server.
type Client struct {
	base string
	key  config.Secret // empty: none
	http http.Client
}

// New returns a client of the server at base, as CheckURL returns it.
func New(base string, key config.Secret) *Client {
	return &Client{base: base, key: key, http: http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // do not send the key to another server
	}}
}

// The errors of CheckURL. They do not quote the URL, which may contain a password.
var (
	ErrNoURL      = errors.New("not the URL of a server")
	ErrPrivateURL = errors.New("a URL with a user name, a query or a fragment")
)

// CheckURL returns the URL of a server without a trailing slash.
func CheckURL(address string) (base string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", ErrNoURL
	}
	if u.User != nil || strings.ContainsAny(address, "?#") {
		return "", ErrPrivateURL
	}
	return strings.TrimRight(address, "/"), nil
}

// Path joins segments to a path of the API. It encodes names, so that a name such as ..
// does not lead to another path.
func Path(segments ...string) string {
	var path strings.Builder
	for _, segment := range segments {
		path.WriteString("/" + strings.ReplaceAll(url.PathEscape(segment), ".", "%2E"))
	}
	return path.String()
}

// Call makes a call and returns the body of its answer. A nil body means none. The error
// is a *Problem if the server refused the call.
func (c *Client) Call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+string(c.key))
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Close = true
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	case response.StatusCode/100 != 2:
		return nil, readProblem(response, answer)
	}
	return answer, nil
}

// unreachable returns the error for a server that does not answer.
func (c *Client) unreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("no answer from %s: %w; is the server running? set its URL with --api or %s", c.base, err, config.EnvAPIURL)
}

// List calls each with every entry of a list, in order, page by page. Name is the name of
// the array in the answers.
func (c *Client) List(ctx context.Context, path string, query url.Values, name string, each func(entry json.RawMessage) error) error {
	query.Set("limit", "1000")
	for {
		answer, err := c.Call(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		var page map[string]json.RawMessage
		var entries []json.RawMessage
		var next string
		if json.Unmarshal(answer, &page) != nil || json.Unmarshal(page[name], &entries) != nil {
			return fmt.Errorf("the answer has no list %q; is there a server of this kind?", name)
		}
		for _, entry := range entries {
			if err := each(entry); err != nil {
				return err
			}
		}
		if page["next"] == nil || json.Unmarshal(page["next"], &next) != nil {
			return nil
		}
		if next == query.Get("after") {
			return fmt.Errorf("the list %q does not go on after %q", name, next)
		}
		query.Set("after", next)
	}
}
