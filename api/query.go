package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// How many entries a page has.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// query is a request's query parameters, each given once at the most.
type query struct {
	values url.Values
	limit  int
	after  string // only what sorts behind it
}

// parseQuery accepts these parameters beside limit and after. An unknown one is
// refused, since a filter with a slip in its name would match everything.
func parseQuery(r *http.Request, names ...string) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return query{}, badRequest("the query cannot be read: %s", err)
	}
	names = append(names, "limit", "after")
	for name, given := range values {
		switch {
		case !slices.Contains(names, name):
			return query{}, badRequest("the query has the unknown parameter %q; known are %s", name, quoted(names))
		case len(given) > 1:
			return query{}, badRequest("the query gives %q twice", name)
		}
	}
	q := query{values: values, limit: defaultLimit, after: values.Get("after")}
	if values.Has("limit") {
		q.limit, err = strconv.Atoi(values.Get("limit"))
		if err != nil || q.limit < 1 || q.limit > maxLimit {
			return query{}, badRequest(`"limit" must be a number from 1 to %d`, maxLimit)
		}
	}
	return q, nil
}

// page cuts what is sorted by key, and lies behind q.after, to one page. Next
// is what to give as "after" for the next one, empty on the last.
func page[T any](q query, sorted []T, key func(T) string) (part []T, next string) {
	if len(sorted) <= q.limit {
		return sorted, ""
	}
	return sorted[:q.limit], key(sorted[q.limit-1])
}
