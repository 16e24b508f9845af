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

// problem is an error as callers see it (RFC 9457). Type is "about:blank": the
// status says what kind it is, the code which one, the detail what to do.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   code   `json:"code"`
	Detail string `json:"detail"`

	header http.Header
}

// newProblem returns a problem with the status of its code. One that may be gone
// in a second asks the caller to try again then.
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

// with adds a header to the answer.
func (p *problem) with(name, value string) *problem {
	p.header.Set(name, value)
	return p
}

// Error returns the detail.
func (p *problem) Error() string { return p.Detail }

// badBody is about a member of the body.
func badBody(format string, args ...any) *problem { return newProblem(invalidBody, format, args...) }

// problem tells the caller about an error. What is neither the caller's fault
// nor expected is logged here, since its cause is not the caller's business.
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
	case errors.Is(err, realtime.ErrTooManyRevocations):
		return newProblem(tooManyRevocations, "%s", plain(err))
	case errors.Is(err, realtime.ErrShutdown):
		return newProblem(shutDown, "this node is shut down; send to another one")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return newProblem(overloaded, "the clients cannot keep up with what is sent; send less, or later")
	}
	a.log.ErrorContext(ctx, "an API call failed", "error", err)
	return newProblem(unavailable, "the service cannot do this just now; try again later")
}

// plain leaves out which Go call failed: the caller made another one.
func plain(err error) error {
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "realtime: ") {
		return inner
	}
	return err
}

// write answers with the problem.
func (p *problem) write(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	body, _ := json.Marshal(p) // strings and a number always encode
	writeJSON(w, p.Status, "application/problem+json", body)
}

// write answers a call that did what it was asked to; a nil answer is 204.
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
