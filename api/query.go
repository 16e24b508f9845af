package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// The number of entries of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// checkQuery refuses parameters other than names, since a filter with a misspelled
// name would match everything, and repeated parameters.
func checkQuery(r *http.Request, names []string) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return newProblem(invalidQuery, "the query cannot be read: %s", err)
	}
	for name, given := range values {
		switch {
		case len(names) == 0:
			return newProblem(invalidQuery, "this call takes no query, but is given %q", name)
		case !slices.Contains(names, name):
			return newProblem(invalidQuery, "the query has the unknown parameter %q; known are %s", name, quoted(names))
		case len(given) > 1:
			return newProblem(invalidQuery, "the query gives %q twice", name)
		}
	}
	return nil
}

// query holds the query parameters of a request for a list.
type query struct {
	values url.Values
	limit  int
	after  string // the page begins behind this key
}

// parseQuery reads a query that checkQuery has accepted.
func parseQuery(r *http.Request) (query, error) {
	values := r.URL.Query()
	q := query{values: values, limit: defaultLimit, after: values.Get("after")}
	if !values.Has("limit") {
		return q, nil
	}
	limit, err := strconv.Atoi(values.Get("limit"))
	if err != nil || limit < 1 || limit > maxLimit {
		return q, newProblem(invalidQuery, `"limit" must be a number from 1 to %d`, maxLimit)
	}
	q.limit = limit
	return q, nil
}

// page returns the first page of entries that are sorted by key and lie behind
// q.after. Next is the "after" of the following page, empty for the last page.
func page[T any](q query, sorted []T, key func(T) string) (part []T, next string) {
	if len(sorted) <= q.limit {
		return sorted, ""
	}
	return sorted[:q.limit], key(sorted[q.limit-1])
}
