package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// screenshotsTo names the directory that TestPage leaves its screenshots in, for
// people to look at.
const screenshotsTo = "SCREENSHOTS"

// browser starts a headless Chromium with an empty profile.
func browser(t *testing.T) context.Context {
	t.Helper()
	executable := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			executable = path
			break
		}
	}
	if executable == "" {
		t.Fatal("no browser to test the page with: install the package chromium (apt-get install chromium)")
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(executable),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.WindowSize(1360, 900),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return ctx
}

// tab is one page of the browser, and what it complained of.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string // guarded by mu
}

func newTab(t *testing.T, ctx context.Context) *tab {
	t.Helper()
	b := &tab{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.complain("exception: " + e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			b.complain(fmt.Sprintf("console %s: %v", e.Type, e.Args))
		case *cdplog.EventEntryAdded: // violations of the policy, and failed requests
			b.complain(fmt.Sprintf("%s %s: %s", e.Entry.Source, e.Entry.Level, e.Entry.Text))
		}
	})
	return b
}

func (b *tab) complain(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, what)
}

func (b *tab) expectNoComplaints() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, complaint := range b.complaints {
		b.t.Errorf("the browser complains: %s", complaint)
	}
}

// run carries out actions, and fails the test where they do not end in time.
func (b *tab) run(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var text string
		_ = chromedp.Run(b.ctx, chromedp.Text("body", &text))
		b.t.Fatalf("%s: %v; the page says:\n%s", what, err, text)
	}
}

// eval returns the value of an expression as text.
func (b *tab) eval(expression string) (text string) {
	b.t.Helper()
	b.run(expression, chromedp.Evaluate("String("+expression+")", &text))
	return text
}

// becomes waits until an expression holds.
func (b *tab) becomes(expression string) {
	b.t.Helper()
	b.run("waiting for "+expression, chromedp.Poll(expression, nil, chromedp.WithPollingTimeout(patience)))
}

// choose sets a form field as a person does, events included.
func (b *tab) choose(selector, value string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %q;
		e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); })()`, selector, value))
}

func (b *tab) text(selector string) string {
	b.t.Helper()
	return b.eval(fmt.Sprintf("document.querySelector(%q).textContent", selector))
}

func (b *tab) expectText(selector, want string) {
	b.t.Helper()
	if got := b.text(selector); got != want {
		b.t.Errorf("%s is %q, want %q", selector, got, want)
	}
}

// send sends through the form and waits for the verdict.
func (b *tab) send(kind, target, verdict string) {
	b.t.Helper()
	b.choose("#kind", kind)
	if target != "" {
		b.choose("#target", target)
	}
	b.eval(`document.querySelector("#send-result").textContent = ""`)
	b.run("send", chromedp.Click("#send"))
	b.becomes(fmt.Sprintf("document.querySelector('#send-result').textContent === %q", verdict))
}

func (b *tab) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv(screenshotsTo)
	if dir == "" {
		dir = b.t.TempDir()
	}
	var image []byte
	b.run("screenshot", chromedp.CaptureScreenshot(&image))
	if len(image) < 10_000 {
		b.t.Errorf("the screenshot %s has %d octets only", name, len(image))
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), image, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func scheme(value string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}})
}

const isOpen = `document.querySelector("#state").dataset.state === "open"`

func TestPage(t *testing.T) {
	t.Parallel()
	server := start(t, []string{"REALTIME_LISTEN=127.0.0.1:0", "REALTIME_ADMIN_LISTEN=off"}, "serve", "--dev")
	link := server.stdout.wait(t, regexp.MustCompile(`http://127\.0\.0\.1:\d+/#token=\S+`))[0]
	key := server.stdout.wait(t, regexp.MustCompile(`API key: (\S+)`))[1]
	public, _, _ := strings.Cut(link, "/#")

	alice := newTab(t, browser(t))
	alice.run("open the link", scheme("light"), chromedp.Navigate(link))
	alice.becomes(isOpen)
	testConnected(alice, public)
	testTopic(alice)
	bob := testSecondClient(alice)
	testPayload(alice)
	testList(alice)
	testReload(alice)
	testKicked(alice, public, key)
	testLooks(alice, bob)
	alice.expectNoComplaints()
	bob.expectNoComplaints()

	server.signal(syscall.SIGTERM)
	alice.becomes(`document.querySelector("#state").dataset.state === "waiting"`)
	if text := alice.text("#state-text"); !regexp.MustCompile(`^(4001 the server is shutting down|1006 connection lost); reconnecting in \d+\.\d s$`).MatchString(text) {
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
	alice.run("subscribe", chromedp.SetValue("#topic", ""), chromedp.SendKeys("#topic", "order:123\r"))
	alice.becomes(`document.querySelector("#topics li")?.firstChild.data === "order:123"`)
	alice.send("topic", "", "Sent to 1 connection")
	alice.becomes(`document.querySelector("#messages li .topic")?.textContent === "order:123"`)
	alice.expectText("#messages li .type", "greeting")
	alice.expectText("#messages li pre", "{\n  \"text\": \"Hello!\"\n}")

	alice.run("unsubscribe", chromedp.Click("#topics button"))
	alice.becomes(`document.querySelectorAll("#topics li").length === 0`)
	alice.send("topic", "order:123", "Sent to 0 connections")
	alice.send("topic", "a::b", "Not sent: 400: "+invalidTopic)
	alice.run("subscribe to what is no topic", chromedp.SetValue("#topic", "a::b"), chromedp.Click("#subscribe"))
	alice.becomes(fmt.Sprintf("document.querySelector('#topic-result').textContent === %q", "Not subscribed: "+invalidTopic))
	alice.run("subscribe again", chromedp.SetValue("#topic", "order:123"), chromedp.Click("#subscribe"))
	alice.becomes(`document.querySelectorAll("#topics li").length === 1`)
}

const invalidTopic = `invalid topic: it has an empty segment; write segments as "order:123"`

// testSecondClient opens bob in a tab of his own; they send to each other.
func testSecondClient(alice *tab) (bob *tab) {
	alice.t.Helper()
	opened := chromedp.WaitNewTarget(alice.ctx, func(info *target.Info) bool { return info.Type == "page" })
	alice.expectText("#second", "Open a second client (bob, admin)")
	alice.run("open a second client", chromedp.Click("#second"))
	ctx, cancel := chromedp.NewContext(alice.ctx, chromedp.WithTargetID(<-opened))
	alice.t.Cleanup(cancel)
	bob = newTab(alice.t, ctx)
	bob.becomes(isOpen)
	bob.expectText("#user", "bob")
	bob.expectText("#roles", "admin")

	bob.send("user", "alice", "Sent to 1 connection")
	alice.becomes(`document.querySelectorAll("#messages li .topic").length === 1 && document.querySelector("#messages li .type").textContent === "greeting"`)
	alice.send("role", "admin", "Sent to 1 connection")
	bob.becomes(`document.querySelectorAll("#messages li:not(.frame)").length === 1`)
	alice.send("connection", bob.text("#connection"), "Sent to 1 connection")
	bob.becomes(`document.querySelectorAll("#messages li:not(.frame)").length === 2`)
	alice.send("everyone", "", "Sent to 2 connections")
	bob.becomes(`document.querySelectorAll("#messages li:not(.frame)").length === 3`)
	return bob
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
	alice.run("send what is no JSON", chromedp.Click("#send"))
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
	alice.becomes(`document.querySelectorAll("#messages li pre").length > 1 && document.querySelector("#messages li:nth-child(2) pre").textContent.includes("<img")`)
	alice.choose("#payload", `{ "text": "Hello!" }`)
}

// testList pauses, resumes, hides, clears and fills the list.
func testList(alice *tab) {
	alice.t.Helper()
	shown := func(n int) { alice.becomes(fmt.Sprintf(`document.querySelectorAll("#messages li").length === %d`, n)) }
	alice.run("clear", chromedp.Click("#clear"))
	shown(0)
	alice.run("pause", chromedp.Click("#pause"))
	alice.send("user", "alice", "Sent to 1 connection")
	alice.becomes(`document.querySelector("#count").textContent === "1"`)
	shown(0)
	alice.run("resume", chromedp.Click("#pause"))
	shown(1)
	alice.eval(`(async () => { for (let i = 0; i < 520; i++) await fetch("/v1/users/alice/messages",
		{method: "POST", headers: {Authorization: document.querySelector("#curl").textContent.match(/Bearer [^']+/)[0]}, body: '{"type":"n","i":' + i + "}"}); })()`)
	alice.becomes(`document.querySelector("#count").textContent === "521"`)
	shown(500)
	alice.expectText("#messages li pre", "{\n  \"i\": 519\n}")
	alice.run("clear", chromedp.Click("#clear"))
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
	alice.run("subscribe", chromedp.SetValue("#topic", "order:123"), chromedp.Click("#subscribe"))
	alice.becomes(`document.querySelectorAll("#topics li").length === 1`)
	status, body := call(alice.t, "DELETE", public+"/v1/connections/"+url.PathEscape(alice.text("#connection")), "", "Authorization", "Bearer "+key)
	if status != 200 {
		alice.t.Fatalf("disconnect: %d %s", status, body)
	}
	alice.becomes(`document.querySelector("#state").dataset.state === "closed"`)
	alice.expectText("#state-text", "Closed: 4503 disconnected by the server")
	alice.screenshot("closed")
	alice.run("connect", chromedp.Click("#toggle"))
	alice.becomes(isOpen)
	alice.send("topic", "order:123", "Sent to 1 connection")
	alice.run("disconnect", chromedp.Click("#toggle"))
	alice.expectText("#state-text", "Disconnected")
	alice.run("connect", chromedp.Click("#toggle"))
	alice.becomes(isOpen)
}

// testLooks leaves screenshots of a page in use and checks that nothing is cut
// off.
func testLooks(alice, bob *tab) {
	alice.t.Helper()
	alice.choose("#type", "order-updated")
	alice.choose("#payload", `{ "order": 123, "status": "shipped", "items": ["lamp", "desk"] }`)
	alice.send("topic", "order:123", "Sent to 1 connection")
	bob.send("user", "alice", "Sent to 1 connection")
	bob.send("everyone", "", "Sent to 2 connections")
	alice.becomes(`document.querySelectorAll("#messages li:not(.frame)").length >= 3`)
	alice.run("open the curl command", chromedp.Click("summary"))
	for _, look := range []struct {
		name          string
		scheme        string
		width, height int64
	}{{"light", "light", 1360, 900}, {"dark", "dark", 1360, 900}, {"narrow", "light", 390, 844}, {"narrow-dark", "dark", 390, 844}, {"wide", "light", 2200, 1200}} {
		alice.run(look.name, page.BringToFront(), scheme(look.scheme),
			emulation.SetDeviceMetricsOverride(look.width, look.height, 1, false),
			chromedp.Evaluate("window.scrollTo(0, 0); document.activeElement.blur(); Promise.all(document.getAnimations().map((a) => a.finished.catch(() => {}))).then(() => null)", nil, awaitPromise))
		alice.screenshot(look.name)
		if got := alice.eval("document.documentElement.scrollWidth - innerWidth"); got != "0" {
			alice.t.Errorf("%s: the page is %s pixels wider than the window", look.name, got)
		}
	}
	alice.run("scroll", scheme("light"), emulation.SetDeviceMetricsOverride(390, 844, 1, false),
		chromedp.Evaluate("window.scrollTo(0, document.body.scrollHeight)", nil))
	alice.screenshot("narrow-end")
}

func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
