package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime/auth"
)

const (
	secret = "a secret of the tests, 32 octets or more"
	apiKey = "a key of the tests"
)

// process is the server, as a child.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	log    output
	exited chan struct{}
	public string // host:port
	admin  string // host:port
}

var listening = regexp.MustCompile(`"public":"http://([^"]+)","admin":"http://([^"]+)"`)

// serve starts the server's binary on a port of its own.
func serve(t testing.TB, env ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(path, "serve"), exited: make(chan struct{})}
	p.cmd.Env = append([]string{
		"REALTIME_LISTEN=127.0.0.1:0", "REALTIME_ADMIN_LISTEN=127.0.0.1:0",
		"REALTIME_JWT_HMAC_SECRET=" + secret, "REALTIME_API_KEY=" + apiKey,
	}, env...)
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // the exit code says it all
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
	})
	becomes(t, "the server listens", func() bool {
		found := listening.FindStringSubmatch(p.log.String())
		if found != nil {
			p.public, p.admin = found[1], found[2]
		}
		return found != nil
	})
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exitCode waits for the end.
func (p *process) exitCode() int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("the server does not end:\n%s", p.log.String())
		return 0
	}
}

// metric returns the value of a line of /metrics, 0 where there is none.
func (p *process) metric(name string) (value float64) {
	p.t.Helper()
	response, err := http.Get("http://" + p.admin + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, name+" "); found {
			if value, err = strconv.ParseFloat(strings.TrimSpace(rest), 64); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	return value
}

// output is what a process writes. Safe for concurrent use.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// tokenOf returns a token that the server takes.
func tokenOf(t testing.TB, user string) string {
	t.Helper()
	token, err := auth.Mint([]byte(secret), map[string]any{"sub": user, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// entry is one message of a batch.
type entry struct {
	To      map[string]any `json:"to"`
	Message map[string]any `json:"message"`
}

// refusedEntry stands for the recipients of a message that the API refused with
// 503: it was not sent.
const refusedEntry = -1

// batch sends messages over the API and returns how many recipients each had.
func (p *process) batch(client *http.Client, entries []entry) (recipients []int, err error) {
	body, err := json.Marshal(map[string]any{"messages": entries})
	if err != nil {
		return nil, err
	}
	return p.post(client, body)
}

// post is batch with a body.
func (p *process) post(client *http.Client, body []byte) (recipients []int, err error) {
	request, err := http.NewRequest(http.MethodPost, "http://"+p.public+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+apiKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return receipts(response.StatusCode, answer)
}

// apiError is an answer that says that messages were not sent.
type apiError struct {
	status int
	answer string
}

func (e *apiError) Error() string { return fmt.Sprintf("status %d: %.200s", e.status, e.answer) }

// receipts reads the answer to a batch.
func receipts(status int, answer []byte) (recipients []int, err error) {
	var read struct {
		Results []struct {
			Recipients *int
			Error      struct{ Status int }
		}
	}
	if err := json.Unmarshal(answer, &read); status != http.StatusOK || err != nil {
		return nil, &apiError{status, string(answer)}
	}
	for _, r := range read.Results {
		switch {
		case r.Recipients != nil:
			recipients = append(recipients, *r.Recipients)
		case r.Error.Status == http.StatusServiceUnavailable:
			recipients = append(recipients, refusedEntry)
		default:
			return nil, &apiError{status, string(answer)}
		}
	}
	return recipients, nil
}
