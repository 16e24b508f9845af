//go:build unix

package doctest

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

// The client of the guide survives a token that cannot be had, and does not open
// a connection for a page that was left meanwhile.
func TestGuideClient(t *testing.T) {
	t.Parallel()
	origin := "http://localhost:" + freePort(t)
	svc, url := serveOrigin(t, origin)
	page := openPage(t, strings.TrimPrefix(origin, "http://localhost:"))
	client := guideClient(t)

	page.run(block{Place: "left while the token is awaited", Text: client + `
		let give;
		realtime("` + url + `", () => new Promise((resolve) => { give = resolve; }), (message) => console.log(message.type));
		dispatchEvent(new Event("pagehide"));
		give("good");`})
	page.run(block{Place: "left while the socket opens", Text: client + `
		realtime("` + url + `", async () => "good", (message) => console.log(message.type));
		setTimeout(() => { dispatchEvent(new Event("pagehide")); console.log("left"); });`})
	waitForLine(t, page, "left")

	page.run(block{Place: "no token at first", Text: client + `
		let calls = 0;
		const getToken = async () => { if (calls++ === 0) throw new Error("not now"); return "good"; };
		realtime("` + url + `", getToken, (message) => console.log(message.type));`})
	waitForLine(t, page, "no token: not now")
	waitForLine(t, page, "$connected")

	ctx, cancel := context.WithTimeout(t.Context(), outputTime)
	defer cancel()
	if _, err := svc.Disconnect(ctx, realtime.Everyone(), 1009, "too long"); err != nil {
		t.Fatal(err)
	}
	waitForLine(t, page, "closed: 1009 too long (stopping)")
	connected := slices.DeleteFunc(slices.Clone(page.lines()), func(line string) bool { return line != "$connected" })
	if len(connected) != 1 {
		t.Errorf("a page that was left connected: %q", page.lines())
	}
}

func waitForLine(t *testing.T, p *page, line string) {
	t.Helper()
	if err := within(outputTime, func() bool { return slices.Contains(p.lines(), line) }); err != nil {
		t.Fatalf("the console does not show %q: %q", line, p.lines())
	}
}

// guideClient returns the client function of the guide, without the call of it.
func guideClient(t *testing.T) string {
	t.Helper()
	blocks, err := readBlocks(root + "/docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(blocks, func(b block) bool { return b.has("browser") })
	if i < 0 {
		t.Fatal("the guide has no client")
	}
	client, _, found := strings.Cut(blocks[i].Text, "\nrealtime(")
	if !found {
		t.Fatal("the guide does not call its client")
	}
	return "{" + strings.TrimSuffix(client, "\n") + "\nglobalThis.realtime = realtime; }\n"
}

// serveOrigin serves a service whose token is "good" to the pages of an origin.
func serveOrigin(t *testing.T, origin string) (svc *realtime.Service, url string) {
	t.Helper()
	svc, err := realtime.New(realtime.Options{Verifier: realtimetest.Verifier("good", realtime.Identity{UserID: "u1"})})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(svc.Handler(realtime.HandlerOptions{AllowedOrigins: []string{origin}}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := svc.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return svc, "ws" + strings.TrimPrefix(server.URL, "http")
}
