package api

import (
	"net/http"
	"slices"
	"strings"

	"boundary-app.org/realtime"
)

// call carries out a request and returns its answer; a nil answer is 204. It does not
// write to the response.
type call func(r *http.Request) (answer any, err error)

// route is one operation of the API and what its request may contain.
type route struct {
	method, path string
	call         call
	query        []string // names of parameters
	maxBody      int64    // bytes; 0: no body
	public       bool     // needs no key
}

// strict returns the route with a call that refuses query parameters and a body that
// the operation does not use: a caller that sends them expects an effect.
func (rt route) strict() route {
	do := rt.call
	rt.call = func(r *http.Request) (any, error) {
		if err := checkQuery(r, rt.query); err != nil {
			return nil, err
		}
		if rt.maxBody == 0 {
			if err := refuseBody(r); err != nil {
				return nil, err
			}
		}
		return do(r)
	}
	return rt
}

// routes returns all operations of the API.
func (a *api) routes() []route {
	return slices.Concat(
		[]route{{method: "GET", path: "/openapi.json", call: openAPI, public: true}},
		a.messageRoutes(), a.connectionRoutes(), a.topicRoutes(),
	)
}

func (a *api) messageRoutes() []route {
	one, many := a.maxBody, batchFactor*a.maxBody
	return []route{
		{method: "POST", path: "/v1/broadcast", call: a.send(everyone), maxBody: one},
		{method: "POST", path: "/v1/everyone/messages", call: a.send(everyone), maxBody: one},
		{method: "POST", path: "/v1/users/{user}/messages", call: a.send(user), maxBody: one},
		{method: "POST", path: "/v1/roles/{role}/messages", call: a.send(role), maxBody: one},
		{method: "POST", path: "/v1/connections/{id}/messages", call: a.send(connection), maxBody: one},
		{method: "POST", path: "/v1/topics/{topic}/messages", call: a.send(topic), maxBody: one},
		{method: "POST", path: "/v1/messages", call: a.sendToEach, maxBody: many},
		{method: "POST", path: "/v1/batch", call: a.batch, maxBody: many},
	}
}

func (a *api) connectionRoutes() []route {
	one := a.maxBody
	return []route{
		{method: "GET", path: "/v1/connections", call: a.connections, query: []string{"user", "role", "topic", "limit", "after"}},
		{method: "GET", path: "/v1/connections/{id}", call: a.connection},
		{method: "DELETE", path: "/v1/connections/{id}", call: a.disconnect, maxBody: one},
		{method: "DELETE", path: "/v1/users/{user}/connections", call: a.disconnectAll(user), maxBody: one},
		{method: "DELETE", path: "/v1/roles/{role}/connections", call: a.disconnectAll(role), maxBody: one},
		{method: "DELETE", path: "/v1/topics/{topic}/connections", call: a.disconnectAll(topic), maxBody: one},
		{method: "DELETE", path: "/v1/everyone/connections", call: a.disconnectAll(everyone), maxBody: one},
		{method: "POST", path: "/v1/revocations", call: a.revoke, maxBody: one},
	}
}

func (a *api) topicRoutes() []route {
	return []route{
		{method: "GET", path: "/v1/topics", call: a.topics, query: []string{"prefix", "limit", "after"}},
		{method: "GET", path: "/v1/topics/{topic}/subscribers", call: a.subscribers, query: []string{"limit", "after"}},
		{method: "GET", path: "/v1/topics/{topic}/history", call: notYet("topics have no history yet")},
		{method: "GET", path: "/v1/topics/{topic}/presence", call: notYet("topics have no presence yet")},

		{method: "PUT", path: "/v1/connections/{id}/topics/{topic}", call: a.subscribe},
		{method: "DELETE", path: "/v1/connections/{id}/topics/{topic}", call: a.unsubscribe},
		{method: "DELETE", path: "/v1/connections/{id}/topics", call: a.unsubscribeFromAll},

		{method: "PUT", path: "/v1/users/{user}/topics/{topic}", call: changeAll(a.svc.Subscribe, user)},
		{method: "PUT", path: "/v1/roles/{role}/topics/{topic}", call: changeAll(a.svc.Subscribe, role)},
		{method: "PUT", path: "/v1/topics/{source}/topics/{topic}", call: changeAll(a.svc.Subscribe, source)},
		{method: "PUT", path: "/v1/everyone/topics/{topic}", call: changeAll(a.svc.Subscribe, everyone)},
		{method: "DELETE", path: "/v1/users/{user}/topics/{topic}", call: changeAll(a.svc.Unsubscribe, user)},
		{method: "DELETE", path: "/v1/roles/{role}/topics/{topic}", call: changeAll(a.svc.Unsubscribe, role)},
		{method: "DELETE", path: "/v1/topics/{source}/topics/{topic}", call: changeAll(a.svc.Unsubscribe, source)},
		{method: "DELETE", path: "/v1/everyone/topics/{topic}", call: changeAll(a.svc.Unsubscribe, everyone)},
		{method: "DELETE", path: "/v1/users/{user}/topics", call: a.unsubscribeAll(user)},
		{method: "DELETE", path: "/v1/roles/{role}/topics", call: a.unsubscribeAll(role)},
		{method: "DELETE", path: "/v1/topics/{source}/topics", call: a.unsubscribeAll(source)},
		{method: "DELETE", path: "/v1/everyone/topics", call: a.unsubscribeAll(everyone)},
	}
}

// pathAddress returns the address that the path of a request names.
type pathAddress func(r *http.Request) realtime.Address

func everyone(*http.Request) realtime.Address     { return realtime.Everyone() }
func user(r *http.Request) realtime.Address       { return realtime.User(r.PathValue("user")) }
func role(r *http.Request) realtime.Address       { return realtime.Role(r.PathValue("role")) }
func connection(r *http.Request) realtime.Address { return realtime.Connection(r.PathValue("id")) }
func topic(r *http.Request) realtime.Address      { return realtime.Topic(r.PathValue("topic")) }

// source is topic for paths that name a second topic.
func source(r *http.Request) realtime.Address { return realtime.Topic(r.PathValue("source")) }

func notFound(*http.Request) (any, error) {
	return nil, newProblem(unknownPath,
		"there is nothing at this path; /openapi.json lists all paths. Names in a path must be percent-encoded and not empty")
}

func onlyMethods(allowed []string) call {
	allow := strings.Join(allowed, ", ")
	return func(*http.Request) (any, error) {
		return nil, newProblem(methodNotAllowed, "this path accepts %s only", allow).with("Allow", allow)
	}
}

func notYet(detail string) call {
	return func(*http.Request) (any, error) { return nil, newProblem(notImplemented, "%s", detail) }
}
