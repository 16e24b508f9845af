package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"boundary-app.org/realtime"
)

// problem is an error as callers see it (RFC 9457). Type is "about:blank": the
// status says what kind it is, the detail what to do.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	header http.Header
}

func newProblem(status int, format string, args ...any) *problem {
	return &problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: fmt.Sprintf(format, args...), header: http.Header{},
	}
}

// with adds a header to the answer.
func (p *problem) with(name, value string) *problem {
	p.header.Set(name, value)
	return p
}

// Error returns the detail.
func (p *problem) Error() string { return p.Detail }

// unavailable asks the caller to try again in a second.
func unavailable(format string, args ...any) *problem {
	return newProblem(http.StatusServiceUnavailable, format, args...).with("Retry-After", "1")
}

func badRequest(format string, args ...any) *problem {
	return newProblem(http.StatusBadRequest, format, args...)
}

// problem tells the caller about an error. What is neither the caller's fault
// nor expected is logged here, since its cause is not the caller's business.
func (a *api) problem(ctx context.Context, err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, realtime.ErrTooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, "%s", plain(err))
	case errors.Is(err, realtime.ErrInvalidMessage), errors.Is(err, realtime.ErrInvalidTopic),
		errors.Is(err, realtime.ErrInvalidTarget), errors.Is(err, realtime.ErrInvalidRevocation):
		return badRequest("%s", plain(err))
	case errors.Is(err, realtime.ErrNoConnection):
		return newProblem(http.StatusNotFound, `there is no connection with this id, and so its token is not known; give "user" or "tokenId"`)
	case errors.Is(err, realtime.ErrTooManyRevocations):
		return unavailable("%s", plain(err))
	case errors.Is(err, realtime.ErrShutdown):
		return unavailable("this node is shut down; send to another one")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unavailable("the clients cannot keep up with what is sent; send less, or later")
	}
	a.log.ErrorContext(ctx, "an API call failed", "error", err)
	return unavailable("the service cannot do this just now; try again later")
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
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a caller that has gone needs no answer
}

func setHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}
