package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"boundary-app.org/realtime/internal/chromium"
)

// devServer starts a server in dev mode on an address, and returns it with the
// link of its banner.
func devServer(t *testing.T, address string, env ...string) (server *process, link string) {
	t.Helper()
	server = start(t, append([]string{"REALTIME_LISTEN=" + address, "REALTIME_ADMIN_LISTEN=off"}, env...), "serve", "--dev")
	return server, server.stdout.wait(t, regexp.MustCompile(`http://127\.0\.0\.1:\d+/#token=\S+`))[0]
}

// key returns the API key of a server's banner.
func (p *process) key() string {
	p.t.Helper()
	return p.stdout.wait(p.t, regexp.MustCompile(`API key: (\S+)`))[1]
}

// TestPageStates changes the address, the rights and the server of an open page.
func TestPageStates(t *testing.T) {
	t.Parallel()
	server, link := devServer(t, "127.0.0.1:0", "REALTIME_PING_INTERVAL=1s")
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	page := newTab(t, chromium.Start(t), chromedp.WithErrorf(func(string, ...any) {}))
	page.run("open the link", chromedp.Navigate(link))
	page.becomes(isOpen)
	page.eval(`globalThis.loaded = "once"`)

	testNewAddress(page)
	testRights(page)
	testAddresses(page)
	testEmpty(page)
	testPings(page)
	testOldWords(page)
	testRefusedSession(page)
	testRefusedToken(page, u, server.key())
	page.expectComplaints("network error: Failed to load resource: the server responded with a status of 400 (Bad Request)") // for the user that cannot be
	testRestart(page, server, u)
	if got := page.eval(`globalThis.loaded`); got != "once" {
		t.Error("the page was loaded again")
	}
}

// testNewAddress pastes a link of the same page, which changes its fragment.
func testNewAddress(page *tab) {
	page.t.Helper()
	page.eval(`void (location.href = "/#user=carol&roles=editor,admin")`)
	page.becomes(`document.querySelector("#user").textContent === "carol"`)
	page.becomes(isOpen)
	page.expectText("#roles", "editor, admin")
	if got := page.eval(`location.hash`); got != "" {
		page.t.Errorf("the address keeps %q", got)
	}
	page.eval(`void (location.hash = "nothing")`)
	page.becomes(`location.hash === ""`)
	page.expectText("#user", "carol")
}

// testRights narrows the topics that the token allows: one that is subscribed to
// goes, with the refusal in sight, and the next success clears it.
func testRights(page *tab) {
	page.t.Helper()
	for i, topic := range []string{"order:1", "room:lobby"} {
		page.enter("#topic", topic+"\r")
		page.becomes(fmt.Sprintf(`document.querySelectorAll("#topics li").length === %d`, i+1))
	}
	page.click("#strict")
	page.becomes(`document.querySelector("#topic-result").textContent === 'Not subscribed: you may not subscribe to "order:1" (forbidden)'`)
	page.becomes(`document.querySelectorAll("#topics li").length === 1`)
	page.becomes(`[...document.querySelectorAll("#messages li.frame pre")].some((e) => e.textContent.includes('"ok":false,"error":{"code":"forbidden"'))`)
	page.enter("#topic", "order:1")
	page.becomes(`document.querySelector("#topic-result").textContent === ""`)
	page.click("#subscribe")
	page.becomes(`document.querySelector("#topic-result").textContent.includes("(forbidden)")`)
	page.enter("#grants", "room:*, order:1\r")
	page.becomes(isOpen)
	page.becomes(`document.querySelector("#topic-result").textContent === ""`)
	page.click("#subscribe")
	page.becomes(`document.querySelectorAll("#topics li").length === 2`)

	page.click("#strict")
	page.becomes(isOpen)
	page.enter("#topic", "news\r")
	page.becomes(`document.querySelectorAll("#topics li").length === 3`)
	for range 3 {
		n := page.eval(`document.querySelectorAll("#topics li").length`)
		page.click("#topics button")
		page.becomes(`document.querySelectorAll("#topics li").length < ` + n)
	}
}

// testAddresses sends to the page itself by every address: the list shows it with
// both directions.
func testAddresses(page *tab) {
	page.t.Helper()
	page.enter("#topic", "order:7\r")
	page.becomes(`document.querySelectorAll("#topics li").length === 1`)
	page.expectMarked("sent subscribe", `[...document.querySelectorAll("#messages li.frame.sent .head")].map((e) => [...e.children].map((c) => c.textContent).join(" "))[0]`)
	for _, test := range []struct{ kind, target, sent, arrived string }{
		{"user", "carol", "to user carol", "to you"},
		{"role", "admin", "to role admin", "to role admin"},
		{"connection", page.text("#connection"), "to connection " + page.text("#connection"), "to this connection"},
		{"topic", "order:7", "to topic order:7", "order:7"},
		{"everyone", "", "to everyone", "to everyone"},
	} {
		page.click("#clear")
		page.send(test.kind, test.target, "Sent to 1 connection")
		page.becomes(`document.querySelectorAll("#messages li.message").length === 1`)
		page.expectMarked("greeting "+test.arrived, heads("li.message"))
		page.expectMarked("sent greeting "+test.sent+" 1 connection", heads("li.sent"))
	}
	page.send("user", "zoe", "Sent to 0 connections: this user has no open connection")
	page.expectMarked("result warn", `document.querySelector("#send-result").className`)
	page.send("everyone", "", "Sent to 1 connection")
	page.expectMarked("result good", `document.querySelector("#send-result").className`)

	page.click("#clear")
	status, body := call(page.t, "POST", page.eval(`location.origin`)+"/v1/users/carol/messages", `{"type":"other"}`,
		"Authorization", page.eval(`document.querySelector("#curl").textContent.match(/Bearer [^']+/)[0]`))
	if status != 200 {
		page.t.Fatalf("send: %d %s", status, body)
	}
	page.becomes(`document.querySelectorAll("#messages li.message").length === 1`)
	page.expectMarked("other direct", heads("li.message"))
}

// heads is the expression for the labels of the first of such entries.
func heads(entry string) string {
	return fmt.Sprintf(`[...document.querySelector("#messages %s .head").children].map((c) => c.textContent).join(" ")`, entry)
}

func (b *tab) expectMarked(want, expression string) {
	b.t.Helper()
	if got := b.eval(expression); got != want {
		b.t.Errorf("%s is %q, want %q", expression, got, want)
	}
}

// testEmpty empties the list in every way, and reads why it is empty.
func testEmpty(page *tab) {
	page.t.Helper()
	page.run("reload", chromedp.Reload())
	page.becomes(isOpen)
	page.eval(`globalThis.loaded = "once"`)
	page.becomes(`document.querySelector("#messages li .type")?.textContent === "$connected"`)
	visible := func(list bool) {
		page.t.Helper()
		page.expectMarked(fmt.Sprint(list), `document.querySelector("#messages").checkVisibility()`)
		page.expectMarked(fmt.Sprint(!list), `document.querySelector("#empty").checkVisibility()`)
	}
	page.expectText("#count", "") // a frame of the protocol is no message
	page.expectMarked("$connected", `document.querySelector("#messages").lastElementChild.querySelector(".type").textContent`)
	visible(true)
	page.click("#frames")
	visible(false)
	page.expectText("#empty", "No messages yet; the protocol frames are hidden.")
	page.send("user", "carol", "Sent to 1 connection")
	visible(true)
	page.click("#clear")
	visible(false)
	page.expectText("#empty", "Cleared. What arrives from now on is shown here.")
	page.click("#toggle")
	page.expectText("#empty", "Disconnected. Nothing arrives until you connect.")
	page.click("#toggle")
	page.becomes(isOpen)
	page.becomes(`document.querySelector("#empty").textContent === "No messages yet; the protocol frames are hidden."`)
	page.click("#frames")
	visible(true)
	for state, want := range map[string]string{
		"connecting": "Connecting: messages are shown here once that has succeeded.",
		"waiting":    "Connecting: messages are shown here once that has succeeded.",
		"open":       "Nothing has arrived yet. Send something, or open a second client.",
	} {
		page.expectMarked(want, fmt.Sprintf(`import("/messages.js").then(({Messages}) => new Messages(document.createElement("ol"), () => {}).emptyText(%q))`, state))
	}
}

// testOldWords shows that the result of an action goes with the next one, that a
// failed attempt does not hide why the connection has ended, and that a long
// payload is folded.
func testOldWords(page *tab) {
	page.t.Helper()
	page.send("user", "zoe", "Sent to 0 connections: this user has no open connection")
	page.enter("#topic", "a::b\r")
	page.becomes(`document.querySelector("#topic-result").textContent.startsWith("Not subscribed")`)
	page.expectText("#send-result", "")
	page.send("user", "carol", "Sent to 1 connection")
	page.expectText("#topic-result", "")

	page.expectMarked("1006 connection lost: the server is shutting down|1006 connection lost: the server is shutting down|4008 this client read too slowly", `import("/connection.js").then(({Connection}) => {
		const told = [];
		const c = new Connection({onState: (state, text) => told.push(text.split("; ")[0])});
		c.closing = {reason: "drain"};
		c.closed({code: 1006, reason: ""});
		c.closing = null;
		c.closed({code: 1006, reason: ""});
		c.closed({code: 4008, reason: ""});
		c.stop();
		return told.join("|");
	})`)

	page.choose("#payload", `{"n": [`+strings.Repeat("1,", 40)+`1]}`)
	page.send("user", "carol", "Sent to 1 connection")
	page.becomes(`document.querySelectorAll("#messages pre.folded").length >= 2`) // sent and received
	page.expectMarked("true", `document.querySelector("#messages pre.folded").clientHeight < 150`)
	page.click("#messages .unfold")
	page.expectMarked("Show less true", `[document.querySelector("#messages .unfold").textContent, document.querySelector("#messages pre").clientHeight > 200].join(" ")`)
	page.choose("#payload", `{ "text": "Hello!" }`)
}

// testPings shows pings only when they are asked for.
func testPings(page *tab) {
	page.t.Helper()
	const pings = `[...document.querySelectorAll("#messages .type")].filter((e) => e.textContent === "$ping").length`
	page.expectMarked("false", `document.querySelector("#pings").checked`)
	page.expectMarked("0", `import("/messages.js").then(({Messages}) => {
		const list = document.createElement("ol");
		new Messages(list, () => {}).arrived({type: "$ping"}, {});
		return list.childElementCount;
	})`)
	page.expectMarked("0", pings)
	page.click("#pings")
	page.becomes(pings + " > 0")
	page.click("#pings")
}

// testRefusedSession asks for a user that cannot be: the page says so, and stops.
func testRefusedSession(page *tab) {
	page.t.Helper()
	page.eval(`void (location.hash = "user=%00")`)
	page.becomes(`document.querySelector("#state").dataset.state === "closed"`)
	page.becomes(`/^No session: .*"user": invalid target/.test(document.querySelector("#state-text").textContent)`)
	page.click("#clear")
	if got := page.text("#empty"); !strings.HasPrefix(got, "No session: ") || !strings.HasSuffix(got, ". Nothing arrives until you connect.") {
		page.t.Errorf("the list is empty for: %s", got)
	}
	page.eval(`void (location.hash = "user=dora")`)
	page.becomes(isOpen)
	page.expectText("#user", "dora")
}

// testRefusedToken pastes a token that another server has signed: the page gets a
// new one. One that is refused though it is new is not replaced.
func testRefusedToken(page *tab, u *url.URL, key string) {
	page.t.Helper()
	id := page.text("#connection")
	page.eval(`void (location.hash = "token=a.b.c")`)
	page.becomes(fmt.Sprintf(`![%q, "–"].includes(document.querySelector("#connection").textContent)`, id))
	page.expectText("#user", "dora")
	if got := page.text("#notice"); !strings.HasPrefix(got, "The token in the address was refused: 4500 the token was refused") || !strings.HasSuffix(got, "new session for dora.") {
		page.t.Errorf("the notice is %q", got)
	}

	status, body := call(page.t, "POST", u.Scheme+"://"+u.Host+"/v1/revocations", `{"user":"dora","reason":"left"}`, "Authorization", "Bearer "+key)
	if status != 200 {
		page.t.Fatalf("revoke: %d %s", status, body)
	}
	page.becomes(`document.querySelector("#state-text").textContent === "Closed: 4503 disconnected by the server: left"`)
	page.click("#toggle")
	page.becomes(`document.querySelector("#state-text").textContent === "Closed: 4500 the token was refused: unauthorized: revoked"`)
	page.eval(`void (location.hash = "user=erin")`)
	page.becomes(isOpen)
}

// testRestart starts the server again below an open page, which gets a new token
// and a new key by itself, and keeps its topics.
func testRestart(page *tab, server *process, u *url.URL) {
	page.t.Helper()
	page.enter("#topic", "order:9\r")
	page.becomes(`document.querySelectorAll("#topics li").length === 1`)
	id := page.text("#connection")
	server.signal(syscall.SIGKILL)
	server.exit()
	page.becomes(`document.querySelector("#state").dataset.state === "waiting"`)
	page.look("light", 320, 640)
	page.expectLayout("waiting")
	page.screenshot("waiting")
	page.choose("#kind", "user")
	page.click("#send")
	page.becomes(`document.querySelector("#send-result").textContent === "Not sent: the server cannot be reached"`)

	again, _ := devServer(page.t, u.Host)
	page.becomes(fmt.Sprintf(`![%q, "–"].includes(document.querySelector("#connection").textContent)`, id))
	page.becomes(isOpen)
	page.expectText("#user", "erin")
	page.becomes(`document.querySelector("#send-result").textContent === ""`)
	page.becomes(fmt.Sprintf(`document.querySelector("#curl").textContent.includes(%q)`, again.key()))
	page.send("topic", "order:9", "Sent to 1 connection")
	if text := page.text("#script"); strings.Contains(text, u.Fragment) {
		page.t.Error("the script has the token of the server that has ended")
	}
}
