package realtime_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/loglimit"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
)

// closeLines returns the lines of a JSON log about connections closed for what
// their clients did.
func closeLines(t *testing.T, j *journal) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(j.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m["msg"] == "a connection was closed for what its client did" {
			lines = append(lines, m)
		}
	}
	return lines
}

// offences are ways to be closed; code 0: nothing of it is for the operator.
var offences = []struct {
	name   string
	offend func(t *testing.T, svc *realtime.Service, c *raw)
	code   int
}{
	{"a broken frame", func(_ *testing.T, _ *realtime.Service, c *raw) { c.write([]byte{0x83, 0x80, 0, 0, 0, 0}) }, 1002},
	{"bad UTF-8", func(_ *testing.T, _ *realtime.Service, c *raw) { c.send(socket.OpText, "\xff") }, 1007},
	{"too large", func(_ *testing.T, _ *realtime.Service, c *raw) { c.send(socket.OpText, strings.Repeat("x", 1001)) }, 1009},
	{"too slow", func(t *testing.T, svc *realtime.Service, _ *raw) {
		for i := range 20 {
			publishNumber(t, svc, realtime.Everyone(), i)
			synctest.Wait()
		}
	}, 4008},
	{"too many messages", func(_ *testing.T, _ *realtime.Service, c *raw) {
		for range 6 {
			c.send(socket.OpText, "x")
		}
	}, 4013},
	{"a close of its own", func(_ *testing.T, _ *realtime.Service, c *raw) { c.send(socket.OpClose, "\x0f\xadsecret") }, 0},
	{"no pong", func(*testing.T, *realtime.Service, *raw) {}, 0},
}

// An operator sees at info whom the server has closed for what they did, and why.
func TestOffencesAreLogged(t *testing.T) {
	t.Parallel()
	for _, o := range offences {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := &journal{}
				svc := newService(t, realtime.Options{Log: log.jsonLogger(), Limits: realtime.Limits{
					MessageSize: 1000, Backlog: 4 << 10, MessageRate: 10, MessageBurst: 5,
				}})
				client := dialPipe(t, svc.Handler(realtime.HandlerOptions{}), upgrading("/?token="+token(t, user("u1"))))
				client.wants("$connected")
				id := svc.Connections(realtime.Everyone())[0].ID()
				o.offend(t, svc, client)
				for client.next().Kind != socket.Close {
				}
				_ = client.Conn.Close()
				synctest.Wait()
				lines := closeLines(t, log)
				if o.code == 0 {
					if len(lines) > 0 || strings.Contains(log.String(), "secret") {
						t.Errorf("the log is %s", log)
					}
					return
				}
				if len(lines) != 1 {
					t.Fatalf("%d lines: %s", len(lines), log)
				}
				line := lines[0]
				if fmt.Sprint(line["code"]) != fmt.Sprint(o.code) || line["level"] != "INFO" || line["user"] != "u1" || line["connection"] != id || line["reason"] == "" {
					t.Errorf("the line is %v", line)
				}
			})
		})
	}
}

// Clients that break a limit again and again fill no disk.
func TestOffenceLogIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		svc := newService(t, realtime.Options{Log: log.jsonLogger()})
		for range loglimit.Burst + 10 {
			id := &auth.Identity{UserID: "u1"}
			c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
			if err != nil {
				t.Fatal(err)
			}
			c.Close(1009, "too large for this transport")
		}
		synctest.Wait()
		if lines := closeLines(t, log); len(lines) != loglimit.Burst {
			t.Errorf("%d lines, want %d", len(lines), loglimit.Burst)
		}
	})
}
