package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"boundary-app.org/realtime"
)

// problem is the answer to a refused call (RFC 9457). The type is always
// "about:blank"; programs look at the code, people read the detail.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   code   `json:"code"`
	Detail string `json:"detail"`

	header http.Header
}

// newProblem returns a problem with the status of its code. With 503 it asks the
// caller to try again after a second.
func newProblem(c code, format string, args ...any) *problem {
	status := statuses[c]
	p := &problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Code: c, Detail: fmt.Sprintf(format, args...), header: http.Header{},
	}
	if status == http.StatusServiceUnavailable {
		p.header.Set("Retry-After", "1")
	}
	return p
}

// with sets a header field of the answer.
func (p *problem) with(name, value string) *problem {
	p.header.Set(name, value)
	return p
}

// Error returns the detail.
func (p *problem) Error() string { return p.Detail }

// badBody returns a problem about a member of the body.
func badBody(format string, args ...any) *problem { return newProblem(invalidBody, format, args...) }

// problem returns the problem for the error of a call. It logs an unexpected error,
// whose cause the caller does not see.
func (a *api) problem(ctx context.Context, err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, realtime.ErrTooLarge):
		return newProblem(messageTooLarge, "%s", plain(err))
	case errors.Is(err, realtime.ErrInvalidMessage):
		return newProblem(invalidMessage, "%s", plain(err))
	case errors.Is(err, realtime.ErrInvalidTopic):
		return newProblem(invalidTopic, "%s", plain(err))
	case errors.Is(err, realtime.ErrInvalidTarget):
		return newProblem(invalidTarget, "%s", plain(err))
	case errors.Is(err, realtime.ErrInvalidRevocation):
		return newProblem(invalidRevocation, "%s", plain(err))
	case errors.Is(err, realtime.ErrNoConnection):
		return newProblem(unknownConnection, `there is no connection with this id, and so its token is not known; give "user" or "tokenId"`)
	case errors.Is(err, realtime.ErrNoReply):
		return noReply()
	case errors.Is(err, realtime.ErrTooManyRevocations):
		return newProblem(tooManyRevocations, "%s", plain(err))
	case errors.Is(err, realtime.ErrShutdown):
		return newProblem(shutDown, "this node is shut down; send to another one")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return newProblem(overloaded, "the clients cannot keep up with the messages; send less, or later")
	}
	a.log.ErrorContext(ctx, "an API call failed", "error", err)
	return newProblem(unavailable, "the service cannot do this now; try again later")
}

// plain removes the name of the failed Go call, which the HTTP caller did not make.
func plain(err error) error {
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "realtime: ") {
		return inner
	}
	return err
}

// write writes the problem as the answer.
func (p *problem) write(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	body, _ := json.Marshal(p) // strings and a number always encode
	writeJSON(w, p.Status, "application/problem+json", body)
}

// write writes the answer of a successful call as JSON; nil is 204.
func write(w http.ResponseWriter, answer any) error {
	if answer == nil {
		setHeaders(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("api: encode the answer: %w", err)
	}
	writeJSON(w, http.StatusOK, "application/json", body)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, mediaType string, body []byte) {
	setHeaders(w.Header())
	body = append(body, '\n')
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that has gone needs no answer
}

func setHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}
