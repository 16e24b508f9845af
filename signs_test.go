package realtime_test

import (
	"strings"
	"testing"

	"github.com/coder/websocket"

	"boundary-app.org/realtime"
)

// A command that cannot be seen as one gets a reply, is counted by its code, and
// costs neither the connection nor what follows it.
func TestSignsInsteadOfSilence(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	const ping = `{"action":"ping","ref":1}`
	socket := c.link.(*webSocket)
	for _, x := range []struct {
		name, code string
		kind       websocket.MessageType
		text       string
	}{
		{"in a binary frame", "malformed", websocket.MessageBinary, ping},
		{"behind a byte order mark", "malformed", websocket.MessageText, "\ufeff" + ping},
		{"without an action", "missing_action", websocket.MessageText, `{"type":"ping"}`},
		{"with an unknown one", "unknown_action", websocket.MessageText, `{"action":"dance"}`},
		{"over 16 KiB", "malformed", websocket.MessageText, ping + strings.Repeat(" ", 16<<10)},
		{"of 64 KiB", "malformed", websocket.MessageText, strings.Repeat("0,", 32<<10)},
	} {
		if err := socket.conn.Write(t.Context(), x.kind, []byte(x.text)); err != nil {
			t.Fatal(err)
		}
		failed, _ := c.read()["error"].(map[string]any)
		if failed["code"] != x.code {
			t.Errorf("%s: %v, want %s", x.name, failed, x.code)
		}
	}
	if n := metric(t, s.Service, "realtime_command_errors_total"); n != 6 {
		t.Errorf("%v errors were counted", n)
	}
	c.converse([]exchange{{ping, `{"type":"$reply","ref":1,"ok":true}`}})
}
