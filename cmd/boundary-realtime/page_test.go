package main

import (
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"boundary-app.org/realtime/internal/chromium"
)

const isOpen = `document.querySelector("#state").dataset.state === "open"`

func TestPage(t *testing.T) {
	t.Parallel()
	server := start(t, []string{"REALTIME_LISTEN=127.0.0.1:0", "REALTIME_ADMIN_LISTEN=off"}, "serve", "--dev")
	link := server.stdout.wait(t, regexp.MustCompile(`http://127\.0\.0\.1:\d+/#token=\S+`))[0]
	key := server.stdout.wait(t, regexp.MustCompile(`API key: (\S+)`))[1]
	public, _, _ := strings.Cut(link, "/#")

	noNoise := chromedp.WithErrorf(func(string, ...any) {}) // events that come before their frame; what fails is returned
	alice := newTab(t, chromium.Start(t), noNoise)
	alice.look("light", 1360, 900)
	alice.run("open the link", chromedp.Navigate(link))
	alice.becomes(isOpen)
	testConnected(alice, public)
	testTopic(alice)
	bob := testSecondClient(alice)
	testPayload(alice)
	testList(alice)
	testReload(alice)
	testKicked(alice, public, key)
	testLooks(alice, bob)
	testMotion(alice)
	testSnippets(alice, key)
	alice.expectComplaints("network error: Failed to load resource: the server responded with a status of 400 (Bad Request)") // for a::b
	bob.expectComplaints()

	server.signal(syscall.SIGTERM)
	alice.becomes(`document.querySelector("#state").dataset.state === "waiting"`)
	if text := alice.text("#state-text"); !regexp.MustCompile(`^(4001 the server is shutting down; reconnect|1006 connection lost); reconnecting in \d+\.\d s$`).MatchString(text) {
		t.Errorf("after the server has gone the page says %q", text)
	}
	if code := server.exit(); code != 0 {
		t.Errorf("the server exits with %d", code)
	}
}

func testConnected(alice *tab, public string) {
	alice.t.Helper()
	alice.expectText("#state-text", "Connected")
	alice.expectText("#user", "alice")
	alice.expectText("#roles", "user")
	alice.becomes(`document.querySelector("#messages li .type").textContent === "$connected"`)
	if got := alice.eval("location.href"); got != public+"/" {
		alice.t.Errorf("the address still holds the token: %s", got)
	}
	if id := alice.text("#connection"); len(id) < 16 {
		alice.t.Errorf("the connection id is %q", id)
	}
}

// testTopic subscribes with the keyboard, sends to the topic and sees it arrive.
func testTopic(alice *tab) {
	alice.t.Helper()
	alice.enter("#topic", "order:123\r")
	alice.becomes(`document.querySelector("#topics li")?.firstChild.data === "order:123"`)
	alice.send("topic", "", "Sent to 1 connection")
	alice.becomes(`document.querySelector("#messages li .topic")?.textContent === "order:123"`)
	alice.expectText("#messages li .type", "greeting")
	alice.expectText("#messages li pre", "{\n  \"text\": \"Hello!\"\n}")

	alice.click("#topics button")
	alice.becomes(`document.querySelectorAll("#topics li").length === 0`)
	alice.send("topic", "order:123", "Sent to 0 connections: no client is subscribed to this topic")
	alice.expectText("#messages li.sent:not(.frame) .outcome", "0 connections")
	alice.choose("#target", "a::b")
	alice.click("#send")
	alice.becomes(fmt.Sprintf(`/^Not sent: 400: .*%s$/.test(document.querySelector("#send-result").textContent)`, invalidTopic))
	alice.enter("#topic", "a::b\r")
	alice.becomes(fmt.Sprintf("document.querySelector('#topic-result').textContent === %q", "Not subscribed: "+invalidTopic+" (invalid_topic)"))
	alice.enter("#topic", "order:123\r")
	alice.becomes(`document.querySelectorAll("#topics li").length === 1`)
	alice.expectText("#topic-result", "")
}

const invalidTopic = `invalid topic: it has an empty segment; write segments as "order:123"`

// testSecondClient opens bob in a tab of his own; they send to each other.
func testSecondClient(alice *tab) (bob *tab) {
	alice.t.Helper()
	alice.expectText("#second", "Open a second client (bob, admin)")
	alice.click("#second")
	bob = newTab(alice.t, alice.ctx, chromedp.WithTargetID(alice.other()))
	bob.becomes(isOpen)
	bob.expectText("#user", "bob")
	bob.expectText("#roles", "admin")

	bob.send("user", "alice", "Sent to 1 connection")
	alice.becomes(`document.querySelectorAll("#messages li.message").length === 2`)
	alice.expectText("#messages li .head", "greetingdirect") // the server tells no address
	alice.send("role", "admin", "Sent to 1 connection")
	bob.becomes(`document.querySelectorAll("#messages li.message").length === 1`)
	bob.expectText("#messages li .head", "greetingdirect")
	alice.send("connection", bob.text("#connection"), "Sent to 1 connection")
	bob.becomes(`document.querySelectorAll("#messages li.message").length === 2`)
	alice.send("everyone", "", "Sent to 2 connections")
	bob.becomes(`document.querySelectorAll("#messages li.message").length === 3`)
	return bob
}

// other returns the page that is open beside the tab's own.
func (b *tab) other() (id target.ID) {
	b.t.Helper()
	own := chromedp.FromContext(b.ctx).Target.TargetID
	waitFor(b.t, func() bool {
		pages, err := chromedp.Targets(b.ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, info := range pages {
			if info.Type == "page" && info.TargetID != own && strings.HasPrefix(info.URL, "http://127.0.0.1") {
				id = info.TargetID
			}
		}
		return id != ""
	})
	return id
}

// testPayload shows that a payload is judged before it is sent, carried as it
// is, and never taken for markup.
func testPayload(alice *tab) {
	alice.t.Helper()
	alice.choose("#kind", "user")
	alice.choose("#payload", `{"text": `)
	if got := alice.text("#payload-error"); !strings.HasPrefix(got, "The payload is not valid JSON: ") {
		alice.t.Errorf("the error is %q", got)
	}
	alice.expectText("#curl", "")
	before := alice.text("#count")
	alice.click("#send")
	alice.expectText("#count", before)

	alice.choose("#payload", `{"html": "<img src=x onerror=alert(1)>", "quote": "it's"}`)
	alice.expectText("#payload-error", "")
	alice.send("user", "alice", "Sent to 1 connection")
	alice.becomes(`document.querySelector("#messages li pre").textContent.includes("<img src=x onerror=alert(1)>")`)
	if got := alice.eval(`document.querySelectorAll("#messages img").length`); got != "0" {
		alice.t.Errorf("%s images were made of a payload", got)
	}
	out, err := exec.CommandContext(alice.ctx, "sh", "-c", alice.text("#curl")).CombinedOutput()
	if err != nil || string(out) != `{"recipients":1}` && strings.TrimSpace(string(out)) != `{"recipients":1}` {
		alice.t.Errorf("the curl command answers %s (%v)", out, err)
	}
	alice.becomes(`document.querySelectorAll("#messages li.message pre")[1].textContent.includes("<img")`)
	alice.choose("#payload", `{ "text": "Hello!" }`)
}

// testList pauses, resumes, hides, clears and fills the list.
func testList(alice *tab) {
	alice.t.Helper()
	shown := func(n int) {
		alice.becomes(fmt.Sprintf(`document.querySelectorAll("#messages li.message").length === %d`, n))
	}
	alice.click("#clear")
	shown(0)
	alice.expectText("#empty", "Cleared. What arrives from now on is shown here.")
	alice.click("#pause")
	alice.expectText("#held", "0 held back")
	alice.expectText("#empty", "Paused: what arrives is held back until you resume.")
	alice.send("user", "alice", "Sent to 1 connection")
	alice.send("role", "user", "Sent to 1 connection")
	alice.becomes(`document.querySelector("#count").textContent === "2"`)
	alice.expectText("#held", "2 held back")
	shown(0)
	alice.expectText("#pause", "Resume")
	alice.click("#pause")
	shown(2)
	alice.expectText("#held", "")
	alice.expectText("#pause", "Pause")
	alice.eval(`void fetch("/v1/batch", {
		method: "POST",
		headers: {"Content-Type": "application/json", Authorization: document.querySelector("#curl").textContent.match(/Bearer [^']+/)[0]},
		body: JSON.stringify({messages: Array.from({length: 520}, (_, i) => ({to: {user: "alice"}, message: {type: "n", i}}))}),
	})`)
	alice.becomes(`document.querySelector("#count").textContent === "522"`)
	shown(500)
	alice.expectText("#messages li pre", "{\n  \"i\": 519\n}")
	alice.click("#clear")
}

// testReload shows that the tab keeps its token though the address lost it.
func testReload(alice *tab) {
	alice.t.Helper()
	id := alice.text("#connection")
	alice.run("reload", chromedp.Reload())
	alice.becomes(isOpen)
	alice.expectText("#user", "alice")
	if alice.text("#connection") == id {
		alice.t.Error("the connection is the same after a reload")
	}
}

// testKicked shows that the page stays away after 4503 and comes back by hand,
// with its topics.
func testKicked(alice *tab, public, key string) {
	alice.t.Helper()
	alice.enter("#topic", "order:123")
	alice.click("#subscribe")
	alice.becomes(`document.querySelectorAll("#topics li").length === 1`)
	status, body := call(alice.t, "DELETE", public+"/v1/connections/"+url.PathEscape(alice.text("#connection")), `{"reason":"tidying up"}`, "Authorization", "Bearer "+key)
	if status != 200 {
		alice.t.Fatalf("disconnect: %d %s", status, body)
	}
	alice.becomes(`document.querySelector("#state").dataset.state === "closed"`)
	alice.expectText("#state-text", "Closed: 4503 disconnected by the server: tidying up")
	alice.click("#clear")
	alice.expectText("#empty", "Closed: 4503 disconnected by the server: tidying up. Nothing arrives until you connect.")
	alice.screenshot("closed")
	alice.click("#toggle")
	alice.becomes(isOpen)
	alice.send("topic", "order:123", "Sent to 1 connection")
	alice.click("#toggle")
	alice.expectText("#state-text", "Disconnected")
	alice.click("#toggle")
	alice.becomes(isOpen)
}
