package api_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/bus"
)

var update = flag.Bool("update", false, "write testdata/messages.golden")

// TestMessages holds the texts of all refusals and problems against
// testdata/messages.golden, in which a change of a text is seen, and their codes
// against docs/errors.md. With -update it writes the file. Left out are refusals that
// take seconds or hundreds of connections to cause: unauthenticated_limit,
// first_message_late and left.
func TestMessages(t *testing.T) {
	t.Parallel()
	const file = "testdata/messages.golden"
	sections := []struct {
		title string
		lines []string
	}{
		{"Refused connections", refusedConnections(t)},
		{"Commands", failedCommands(t)},
		{"API calls", problems(t)},
	}
	var got strings.Builder
	for _, section := range sections {
		checkDocumented(t, section.title, section.lines)
		slices.Sort(section.lines)
		fmt.Fprintf(&got, "# %s\n%s\n\n", section.title, strings.Join(slices.Compact(section.lines), "\n"))
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Split(string(want), "\n")
	for line := range strings.SplitSeq(got.String(), "\n") {
		if !slices.Contains(known, line) {
			t.Errorf("new: %s", line)
		}
	}
	if t.Failed() || got.String() != string(want) {
		t.Error("the texts are not those of testdata/messages.golden; if they are right, run: go test ./api -run TestMessages -update")
	}
}

// checkDocumented fails the test unless a table of docs/errors.md has the code, and in
// its row the status or the close code, with which each line begins.
func checkDocumented(t *testing.T, title string, lines []string) {
	t.Helper()
	documented := tableOf(t, title)
	for _, line := range lines {
		if head, _, _ := strings.Cut(line, ": "); !slices.Contains(documented, head) {
			t.Errorf("docs/errors.md lacks %q in %q", head, title)
		}
	}
}

var (
	tableRow = regexp.MustCompile("(?m)^\\| (`[a-z_`, ]+`) \\| ([0-9,; –|]*)")
	codeText = regexp.MustCompile("[a-z_]+")
	number   = regexp.MustCompile("[0-9]+")
)

// tableOf returns the codes of a table in docs/errors.md, each alone and with each of
// the numbers of its row.
func tableOf(t *testing.T, title string) (heads []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## "+title+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, row := range tableRow.FindAllStringSubmatch(section, -1) {
		for _, code := range codeText.FindAllString(row[1], -1) {
			heads = append(heads, code)
			for _, n := range number.FindAllString(row[2], -1) {
				heads = append(heads, code+" "+n)
			}
		}
	}
	if len(heads) < 10 {
		t.Fatalf("docs/errors.md has %q in %q", heads, title)
	}
	return heads
}

// line is a problem in the form of the file.
func (a answer) line(t testing.TB) string {
	t.Helper()
	return problemLine(t, a.json)
}

func problemLine(t testing.TB, problem object) string {
	t.Helper()
	if problem["code"] == nil {
		t.Errorf("%v is no problem", problem)
	}
	return fmt.Sprintf("%v %v: %v", problem["code"], problem["status"], problem["detail"])
}

// problems makes calls that the API refuses, with every code.
func problems(t *testing.T) (lines []string) {
	small := realtime.Options{Limits: realtime.Limits{MessageSize: 200, Topics: 1}}
	s := start(t, small, api.Options{})
	for _, c := range refusedCalls {
		lines = append(lines, s.make(t, c, "AAAAAAAAAAAAAAAAAAAAAA").line(t))
	}
	s = start(t, small, api.Options{MaxBody: 10_000})
	id := s.dial(t, "u1").id
	s.call(t, "PUT", "/v1/connections/"+id+"/topics/a", "").want(t, http.StatusNoContent)
	for _, c := range slices.Concat(refusedBatches, refusedTargets, []refusedCall{
		{method: "PUT", path: "/v1/connections/{id}/topics/b"},
		{method: "POST", path: "/v1/revocations", body: `{"connection":"AAAAAAAAAAAAAAAAAAAAAA"}`},
		{method: "GET", path: "/v1/connections/AAAAAAAAAAAAAAAAAAAAAA"},
		{method: "GET", path: "/v1/topics", body: "{}"},
	}) {
		lines = append(lines, s.make(t, c, id).line(t))
	}
	for _, h := range []header{{"Content-Type", "text/plain"}, {"Content-Encoding", "gzip"}, {"Idempotency-Key", "a"}, {"Authorization", "Bearer wrong"}} {
		lines = append(lines, s.call(t, "POST", "/v1/broadcast", message, h).line(t))
	}
	for _, e := range refusedEntries {
		got := s.call(t, "POST", "/v1/batch", `{"messages":[`+e.entry+`]}`).want(t, http.StatusOK)
		lines = append(lines, problemLine(t, got.json["results"].([]any)[0].(object)["error"].(object)))
	}
	for _, err := range []error{os.ErrDeadlineExceeded, io.ErrUnexpectedEOF} {
		lines = append(lines, record(t, s.Service, httptest.NewRequest("POST", "/v1/broadcast", failing{err})).line(t))
	}
	return append(lines, problemsOfTheServer(t)...)
}

// problemsOfTheServer makes calls that fail for what the server is.
func problemsOfTheServer(t *testing.T) (lines []string) {
	for _, err := range []error{errors.New("x"), context.DeadlineExceeded, bus.ErrClosed, realtime.ErrTooManyRevocations} {
		s := start(t, realtime.Options{Bus: brokenBus(err)}, api.Options{})
		lines = append(lines, s.call(t, "POST", "/v1/broadcast", message).line(t))
	}
	for _, keys := range [][]string{{}, {key}} {
		s := start(t, realtime.Options{}, api.Options{Keys: keys})
		request := httptest.NewRequest("GET", "/v1/topics", nil)
		w := httptest.NewRecorder()
		root(s.Service, api.Options{Keys: keys}).ServeHTTP(w, request)
		lines = append(lines, readAnswer(t, request, w.Result()).line(t))
	}
	return lines
}
