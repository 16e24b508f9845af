package edge

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// A client that does not read is cut, also by answers of net/http itself.
func TestUnreadAnswers(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"an answer of the handler":     get,
		"many of them":                 strings.Repeat(get, 100),
		"400, which net/http answers":  "GET / HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n",
		"431, which net/http answers":  "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", 20<<10),
		"505, which net/http answers":  "GET / HTTP/7.1\r\nHost: h\r\n\r\n",
		"100 before the handler reads": "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				in := newPipes()
				r := serve(t, in, Options{}, false, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(w, r.Body)
					_, _ = w.Write(make([]byte, 100))
				})
				client := in.dial()
				begin := time.Now()
				go func() { _, _ = io.WriteString(client, request) }()
				r.line(t, "reason=unread_answer")
				if after := time.Since(begin); after < 15*time.Second || after > 31*time.Second {
					t.Errorf("cut after %v, want 15 s to 30 s", after)
				}
				if n := r.total(t, "realtime_http_refusals_total", "unread_answer"); n != 1 {
					t.Errorf("%v were counted, want 1", n)
				}
				if n, err := client.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
					t.Errorf("read %d bytes (%v), want the end", n, err)
				}
				time.Sleep(time.Second) // net/http does, before it gives a connection up
			})
		})
	}
}

// A client that reads slowly gets everything, also when it takes much longer than
// AnswerTime.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := newPipes()
		serve(t, in, Options{}, false, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 400_000)) })
		client := in.dial()
		go func() { _, _ = io.WriteString(client, get+"GET / HTTP/1.0\r\n\r\n") }()
		begin, total, chunk := time.Now(), 0, make([]byte, 4000)
		for {
			n, err := client.Read(chunk)
			if total += n; err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if total < 800_000 || time.Since(begin) < 3*time.Minute {
			t.Errorf("%d bytes in %v, want two answers", total, time.Since(begin))
		}
	})
}

// The kernel takes answers that the client does not. They do not stay there.
func TestUnreadAnswersInTheKernel(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux is asked what a client has taken")
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 512<<10)
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/big" {
			_, _ = w.Write(big)
		}
	}
	for _, test := range []struct {
		name, request string
		trickle       bool // read a byte now and then
	}{
		{"an answer that does not fit", "GET /big HTTP/1.1\r\nHost: h\r\n\r\n", false},
		{"the last answer of a connection", "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
		{"many small answers", strings.Repeat(get, 50_000), false},
		{"a byte now and then", strings.Repeat(get, 50_000), true},
		{"small answers that end", strings.Repeat(get, 2000) + "GET / HTTP/1.0\r\n\r\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inner := listen(t)
			r := serve(t, inner, Options{AnswerTime: 400 * time.Millisecond}, false, handler)
			client := dial(t, inner)
			_ = client.SetReadBuffer(2 << 10)
			go func() { _, _ = io.WriteString(client, test.request) }()
			ended := make(chan struct{})
			if test.trickle {
				go func() {
					tick := time.NewTicker(10 * time.Millisecond)
					defer tick.Stop()
					for {
						select {
						case <-tick.C:
							_, _ = client.Read(make([]byte, 1))
						case <-ended:
							return
						}
					}
				}()
			}
			r.line(t, "reason=unread_answer")
			close(ended)
			if _, err := io.Copy(io.Discard, client); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection ended with %v, want that it is reset", err)
			}
		})
	}
}

// Clients that read are not cut, although the kernel has their answers for a while.
func TestReadAnswers(t *testing.T) {
	t.Parallel()
	inner := listen(t)
	r := serve(t, inner, Options{}, false, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
	})
	for _, request := range []string{"GET / HTTP/1.0\r\n\r\n", get + "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"} {
		client := dial(t, inner)
		write(t, client, request)
		got, err := io.ReadAll(client)
		if want := strings.Count(request, "GET") << 20; err != nil || len(got) < want {
			t.Errorf("%d bytes (%v), want %d", len(got), err, want)
		}
	}
	if n := r.total(t, "realtime_http_refusals_total", ""); n != 0 {
		t.Errorf("%v were counted, want none", n)
	}
}
