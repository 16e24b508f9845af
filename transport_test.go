package realtime_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

// connectAt connects a client of an address by a Transport.
func connectAt(svc *realtime.Service, address, user string) error {
	opts := realtime.ConnectOptions{Identity: &realtime.Identity{UserID: user}}
	if address != "" {
		opts.Address = netip.MustParseAddr(address)
	}
	_, err := svc.Connect(context.Background(), &realtimetest.Recorder{}, opts)
	return err
}

// The connections of Transports count for their addresses, together with WebSockets;
// one without an address does not.
func TestTransportsCountForTheirAddress(t *testing.T) {
	opts := realtime.Options{PingInterval: -1, Limits: realtime.Limits{ConnectionsPerAddress: 2}}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		dial(user("u1")) // from 192.0.2.1
		if err := connectAt(svc, "::ffff:192.0.2.1", "u2"); err != nil {
			t.Fatal(err)
		}
		if err := connectAt(svc, "192.0.2.1", "u3"); !errors.Is(err, realtime.ErrTooManyConnections) {
			t.Errorf("one more: %v", err)
		}
		status, _, _ := ask(t, svc.Handler(realtime.HandlerOptions{}), upgrading("/?token="+token(t, user("u4"))))
		if status != 429 {
			t.Errorf("a WebSocket more: %d", status)
		}
		for range 3 {
			if err := errors.Join(connectAt(svc, "", "u5")); err != nil {
				t.Error(err)
			}
		}
		if err := connectAt(svc, "192.0.2.2", "u6"); err != nil {
			t.Error(err)
		}
		if n := metric(t, svc, "realtime_refusals_total"); n != 2 {
			t.Errorf("%v refusals are counted", n)
		}
	})
}

// A Transport passes the limits before its token is looked at, and is refused as
// any other client is.
func TestConnectIsRefused(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{Limits: realtime.Limits{Connections: 1, ConnectionsPerUser: 1, RejectNewest: true}})
	connect := func(opts realtime.ConnectOptions) error {
		_, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, opts)
		return err
	}
	if err := connect(realtime.ConnectOptions{Token: "bad"}); !errors.Is(err, realtime.ErrUnauthorized) {
		t.Errorf("a bad token: %v", err)
	}
	if err := connect(realtime.ConnectOptions{Token: token(t, user("u1"))}); err != nil {
		t.Errorf("a good token: %v", err)
	}
	if err := connect(realtime.ConnectOptions{Token: "bad"}); !errors.Is(err, realtime.ErrTooManyConnections) {
		t.Errorf("one more: %v", err)
	}
	_ = svc.Shutdown(doneContext())
	if err := connect(realtime.ConnectOptions{Token: token(t, user("u1"))}); !errors.Is(err, realtime.ErrShutdown) {
		t.Errorf("after the end: %v", err)
	}
	if n := metric(t, svc, "realtime_refusals_total"); n != 3 {
		t.Errorf("%v refusals are counted", n)
	}
}
