package api

import (
	"context"
	"net/http"

	"boundary-app.org/realtime"
)

// reached is the answer to a change of the subscriptions of an address.
type reached struct {
	Recipients int `json:"recipients"`
}

// change is Service.Subscribe or Service.Unsubscribe.
type change func(ctx context.Context, to realtime.Address, topic string) (realtime.Receipt, error)

// changeAll returns a call that changes the subscriptions of all connections of an
// address; none is no error.
func changeAll(do change, of pathAddress) call {
	return func(r *http.Request) (any, error) {
		done, err := do(r.Context(), of(r), r.PathValue("topic"))
		return reached{done.Recipients}, err
	}
}

func (a *api) unsubscribeAll(of pathAddress) call {
	return func(r *http.Request) (any, error) {
		done, err := a.svc.UnsubscribeAll(r.Context(), of(r))
		return reached{done.Recipients}, err
	}
}

func (a *api) subscribe(r *http.Request) (any, error) {
	done, err := a.svc.Subscribe(r.Context(), connection(r), r.PathValue("topic"))
	switch {
	case err != nil:
		return nil, err
	case done.Recipients > 0:
		return nil, nil
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
	if err == nil && done.Recipients == 0 {
		err = noConnection()
	}
	return nil, err
}
