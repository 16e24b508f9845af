package conformance

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"

	"boundary-app.org/realtime/internal/wsconformance"
)

// maxMessage is the limit of the peers, in octets.
const maxMessage = 32 << 20

// coderEcho is the echo of coder's own documentation.
func coderEcho(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(maxMessage)
	for {
		kind, data, err := c.Read(context.Background())
		if err != nil {
			return
		}
		if err := c.Write(context.Background(), kind, data); err != nil {
			return
		}
	}
}

func gorillaEcho(w http.ResponseWriter, r *http.Request) {
	upgrader := gorilla.Upgrader{EnableCompression: true}
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	for {
		kind, data, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.WriteMessage(kind, data); err != nil {
			return
		}
	}
}

// gwsEvents echoes, and checks text, which gws does only if asked.
type gwsEvents struct{ gws.BuiltinEventHandler }

// OnPing answers a ping.
func (gwsEvents) OnPing(c *gws.Conn, body []byte) { _ = c.WritePong(body) }

// OnMessage echoes.
func (gwsEvents) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	_ = c.WriteMessage(m.Opcode, m.Bytes())
}

func gwsEcho() http.HandlerFunc {
	upgrader := gws.NewUpgrader(gwsEvents{}, &gws.ServerOption{
		CheckUtf8Enabled: true, ReadMaxPayloadSize: maxMessage, WriteMaxPayloadSize: maxMessage,
		PermessageDeflate: gws.PermessageDeflate{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true},
	})
	return func(w http.ResponseWriter, r *http.Request) {
		if c, err := upgrader.Upgrade(w, r); err == nil {
			c.ReadLoop()
		}
	}
}

// deviation is what is known of a server. Numbers stand for all cases that begin with them.
type deviation struct {
	name    string
	handler http.Handler
	numbers []string // where cases fail: all of them
	others  []string // some of the other cases that fail
	late    []string // where cases are not strict
}

// badText are the numbers of the cases with text that is not UTF-8.
var badText = []string{
	"6.3", "6.4", "6.5", "6.6", "6.8", "6.10", "6.11", "6.12", "6.13", "6.14", "6.15", "6.16", "6.17", "6.18", "6.19", "6.20", "6.21",
}

var peers = []deviation{
	{
		name: "coder", handler: http.HandlerFunc(coderEcho),
		numbers: append(slices.Clone(badText), "7.5", "13.4", "13.6"),
		others: []string{
			"beyond: length 3 in 2 octets",
			"beyond: length of 2^62, of which nearly nothing comes",
			"beyond: a ping with its length in 2 octets",
			"beyond: deflate: text that is not UTF-8 once inflated",
			"handshake: declines client_max_window_bits=16",
		},
		late: []string{"beyond: a text with the mask of the other side"},
	},
	{
		name: "gorilla", handler: http.HandlerFunc(gorillaEcho),
		numbers: append(slices.Clone(badText), "7.3.2", "7.5", "13.3", "13.4", "13.5", "13.6"),
		others: []string{
			"beyond: length 3 in 2 octets",
			"beyond: length of 2^62, of which nearly nothing comes",
			"beyond: deflate: RSV1 on a ping",
			"beyond: deflate: text that is not UTF-8 once inflated",
			"handshake: two keys",
			"handshake: windows of 9 bits",
		},
		late: []string{"handshake: version 8"},
	},
	{
		name: "gws", handler: gwsEcho(),
		numbers: []string{"7.7", "12.1", "12.2", "12.3", "12.4", "12.5", "13.1", "13.2", "13.3", "13.5", "13.6", "13.7"},
		others: []string{
			"beyond: length 3 in 2 octets",
			"beyond: frames in the packet of the handshake",
			"handshake: two keys",
			"handshake: declines unknown",
		},
		// The long lengths end the connection because they make it panic.
		late: []string{"6.4", "beyond: length of 64 bits with the top bit set"},
	},
}

func TestPeers(t *testing.T) {
	t.Parallel()
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(p.handler)
			server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the panics
			server.Start()
			defer server.Close()
			p.check(t, run(t, server))
		})
	}
}

func run(t *testing.T, server *httptest.Server) wsconformance.Report {
	t.Helper()
	address := "ws" + strings.TrimPrefix(server.URL, "http") + "/"
	report, err := wsconformance.Run(t.Context(), address, wsconformance.Options{Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := report.Print(&table); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	return report
}

func (d deviation) check(t *testing.T, report wsconformance.Report) {
	t.Helper()
	failed, late := where(report, wsconformance.Failed), where(report, wsconformance.NonStrict)
	numbers := slices.DeleteFunc(slices.Clone(failed), func(name string) bool { return strings.Contains(name, ":") })
	if !slices.Equal(numbers, d.numbers) {
		t.Errorf("it fails in %q, want %q", numbers, d.numbers)
	}
	for _, name := range d.others {
		if !slices.Contains(failed, name) {
			t.Errorf("it does not fail in %q", name)
		}
	}
	for _, name := range d.late {
		if !slices.Contains(late, name) && !slices.Contains(failed, name) { // a panic may cost more than a drop
			t.Errorf("it passes in %q", name)
		}
	}
}

// where returns the numbers of the cases that ended so, and the names of those without one, once each
// and in order.
func where(report wsconformance.Report, v wsconformance.Verdict) []string {
	found := []string{}
	report.Each(v, func(group string, r wsconformance.Result) {
		name := group + ": " + r.Name
		if number, _, _ := strings.Cut(r.Name, " "); strings.HasPrefix(number, group) {
			name = number
		}
		if !slices.Contains(found, name) {
			found = append(found, name)
		}
	})
	return found
}
