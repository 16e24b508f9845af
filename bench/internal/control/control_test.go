package control

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// serveTarget runs the whole program and returns where it listens.
func serveTarget(t *testing.T, target Target) Addresses {
	t.Helper()
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(target, in, out) }()
	var addresses Addresses
	if err := json.NewDecoder(stdout).Decode(&addresses); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := stdin.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return addresses
}

func ask(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

func TestControlSurface(t *testing.T) {
	conn := make(chan net.Conn, 1)
	at := serveTarget(t, Target{
		Handler:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "public") }),
		Connections: func() int { return 42 },
		Broadcast: func([][]byte) error {
			c := <-conn
			conn <- c
			_, err := c.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
			return err
		},
	})
	if _, body := ask(t, http.MethodGet, "http://"+at.Public); body != "public" {
		t.Errorf("public listener answers %q", body)
	}
	base := "http://" + at.Control + "/control/"
	status, body := ask(t, http.MethodGet, base+"stats")
	var stats Stats
	if err := json.Unmarshal([]byte(body), &stats); err != nil || status != http.StatusOK {
		t.Fatalf("stats: %d, error %v", status, err)
	}
	if stats.Connections != 42 || stats.Goroutines < 2 {
		t.Errorf("stats %+v", stats)
	}
	if status, _ := ask(t, http.MethodPost, base+"gc"); status != http.StatusNoContent {
		t.Errorf("gc: %d", status)
	}
	if status, body := ask(t, http.MethodPost, base+"publish?mode=x"); status != http.StatusBadRequest || !strings.Contains(body, "burst") {
		t.Errorf("publish: %d %q", status, body)
	}
	stream := openAcks(t, at.Control)
	defer stream.Close()
	conn <- stream
	status, body = ask(t, http.MethodPost, base+"publish?n=1")
	var result Result
	if err := json.Unmarshal([]byte(body), &result); err != nil || status != http.StatusOK || result.Sent != 1 {
		t.Errorf("publish: %d %q, error %v", status, body, err)
	}
}

func openAcks(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /control/acks HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len("HTTP/1.1 101"))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 101" {
		t.Fatalf("answer %q, error %v", answer, err)
	}
	return c
}
