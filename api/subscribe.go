package api

import (
	"context"
	"net/http"

	"boundary-app.org/realtime"
)

// change is Service.Subscribe or Service.Unsubscribe.
type change func(ctx context.Context, to realtime.Address, topic string) (realtime.Receipt, error)

// changeAll returns a call that changes the subscriptions of all connections of an
// address; none is no error.
func changeAll(do change, of pathAddress) call {
	return func(r *http.Request) (any, error) {
		done, err := do(r.Context(), of(r), r.PathValue("topic"))
		return receiptOf(done), err
	}
}

func (a *api) unsubscribeAll(of pathAddress) call {
	return func(r *http.Request) (any, error) {
		done, err := a.svc.UnsubscribeAll(r.Context(), of(r))
		return receiptOf(done), err
	}
}

func (a *api) subscribe(r *http.Request) (any, error) {
	done, err := a.svc.Subscribe(r.Context(), connection(r), r.PathValue("topic"))
	switch {
	case err != nil:
		return nil, err
	case done.Recipients > 0:
		return nil, nil
	case len(done.Missing) > 0:
		return nil, noReply()
	case a.svc.Connection(r.PathValue("id")) == nil:
		return nil, noConnection()
	}
	return nil, newProblem(topicLimit,
		"the connection has %d topics, which is the limit; unsubscribe it from one first", a.svc.Limits().Topics)
}

func (a *api) unsubscribe(r *http.Request) (any, error) {
	return orNoConnection(a.svc.Unsubscribe(r.Context(), connection(r), r.PathValue("topic")))
}

func (a *api) unsubscribeFromAll(r *http.Request) (any, error) {
	return orNoConnection(a.svc.UnsubscribeAll(r.Context(), connection(r)))
}

// orNoConnection returns the answer to a change of one connection: a problem when the
// connection does not exist.
func orNoConnection(done realtime.Receipt, err error) (any, error) {
	switch {
	case err != nil || done.Recipients > 0:
		return nil, err
	case len(done.Missing) > 0:
		return nil, noReply()
	}
	return nil, noConnection()
}

// noReply is the problem of a call for one connection whose node did not reply.
func noReply() *problem {
	return newProblem(nodeNoReply, "the node of the connection did not reply, and may have done it or not; try again")
}
