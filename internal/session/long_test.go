package session_test

import (
	"strings"
	"testing"

	"boundary-app.org/realtime/internal/session"
	"boundary-app.org/realtime/wire"
)

// Text that is longer than any command is the application's, or refused; neither
// way is it parsed.
func TestLongText(t *testing.T) {
	t.Parallel()
	command := `{"action":"ping","ref":1` + strings.Repeat(" ", wire.MaxCommand-len(`{"action":"ping","ref":1}`))
	for _, application := range []bool{false, true} {
		if step := session.Read([]byte(command+"}"), application); step.Kind != session.Answer || step.Reply.Err != nil {
			t.Errorf("of the greatest length: %+v", step)
		}
	}
	for _, text := range []string{command + " }", strings.Repeat("[", 64<<10)} {
		if step := session.Read([]byte(text), true); step.Kind != session.Application {
			t.Errorf("with an application: %+v", step)
		}
		step := session.Read([]byte(text), false)
		if err := step.Reply.Err; step.Kind != session.Answer || err == nil || err.Code != wire.CodeMalformed || err.Message == "" {
			t.Errorf("without one: %+v", step)
		}
	}
}
