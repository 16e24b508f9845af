// Package bustest is the suite that every bus passes, and buses for tests of what
// is built on a bus.
package bustest

import (
	"testing"

	"boundary-app.org/realtime/bus"
)

// Run runs the suite. It calls newBus once for each test; newBus may register
// cleanups on t. All nodes of a test join that one bus, in which nothing is lost
// and every reply takes less than bus.ReplyTime.
func Run(t *testing.T, newBus func(t *testing.T) bus.Bus) {
	t.Helper()
	for _, c := range suite {
		t.Run(c.name, func(t *testing.T) { c.run(t, newBus(t)) })
	}
}

// suite holds the tests that every bus passes; never changed.
var suite = []struct {
	name string
	run  func(t *testing.T, b bus.Bus)
}{
	{"delivers on every node once, the publisher's included", everyNodeOnce},
	{"carries the envelope unchanged", carriesEnvelope},
	{"adds the recipients of all nodes", addsRecipients},
	{"returns the replies by node", returnsReplies},
	{"keeps a publisher's order", keepsOrder},
	{"loses nothing under concurrent publishers", concurrentPublishers},
	{"delivers to a connection's node only", connectionsNode},
	{"delivers to a node that wants an address once that is known", wantedAddress},
	{"knows what a node wants while it is delivered to", wantedInDeliver},
	{"asks every node", asksEveryNode},
	{"asks the node of a connection", asksConnectionsNode},
	{"gives up an answer when the context is done", slowAnswer},
	{"reports the members that join and leave", membersChange},
	{"is healthy", healthy},
	{"does not deliver to a node that left", leftNode},
	{"close is idempotent and refuses to publish", closeTwice},
	{"refuses a done context", doneContext},
}
