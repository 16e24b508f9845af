package api_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
)

func TestABodyThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{Timeout: 20 * time.Millisecond})
	conn, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	head := "POST /v1/broadcast HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer " + key + "\r\nContent-Length: 12\r\n\r\n{"
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, "http://example.com/v1/broadcast", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		t.Fatal(err)
	}
	readAnswer(t, request, response).wantProblem(t, http.StatusRequestTimeout, "body_timeout")
}

func TestASendThatCannotGetThrough(t *testing.T) {
	t.Parallel()
	stuck := bustest.Intercept(bus.NewMemory(), func(ctx context.Context, _ bus.Node, _ bus.Envelope) (bus.Receipt, error) {
		<-ctx.Done()
		return bus.Receipt{}, ctx.Err()
	})
	s := start(t, realtime.Options{Bus: stuck}, api.Options{Timeout: 20 * time.Millisecond})
	for range 2 { // the read deadline of the first call does not break the second
		s.call(t, "POST", "/v1/broadcast", message).wantProblem(t, http.StatusServiceUnavailable, "overloaded")
	}
	s.call(t, "GET", "/v1/topics", "").want(t, http.StatusOK)
}
