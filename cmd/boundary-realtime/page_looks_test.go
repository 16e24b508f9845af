package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// testLooks leaves screenshots of a page in use and checks that nothing is cut
// off, that everything can be read, and that the keyboard reaches it.
func testLooks(alice, bob *tab) {
	alice.t.Helper()
	alice.choose("#type", "order-updated")
	alice.choose("#payload", `{ "order": 123, "status": "shipped", "items": ["lamp", "desk"] }`)
	alice.send("topic", "order:123", "Sent to 1 connection")
	bob.send("user", "alice", "Sent to 1 connection")
	bob.send("everyone", "", "Sent to 2 connections")
	alice.becomes(`document.querySelectorAll("#messages li.message").length >= 3`)
	for _, look := range []struct {
		name          string
		scheme        string
		width, height int64
	}{
		{"light", "light", 1280, 900},
		{"dark", "dark", 1280, 900},
		{"tablet", "light", 768, 1024},
		{"tablet-dark", "dark", 768, 1024},
		{"phone", "light", 320, 640},
		{"phone-dark", "dark", 320, 640},
		{"wide", "light", 2200, 1200},
		{"low", "light", 1000, 420},
	} {
		alice.look(look.scheme, look.width, look.height)
		alice.eval(settle)
		alice.screenshot(look.name)
		alice.expectLayout(look.name)
	}
	alice.look("light", 320, 640)
	alice.expectMarked("true", `(() => { // the messages come behind Send, and before the snippets
		const [send, live, code] = ["#send-form", ".live", ".code"].map((s) => document.querySelector(s).getBoundingClientRect());
		return send.bottom < live.top && live.top < send.bottom + 60 && live.bottom < code.top;
	})()`)
	alice.eval("scrollTo(0, document.body.scrollHeight)")
	alice.screenshot("phone-end")
	alice.expectMarked("0", `document.querySelector(".top").getBoundingClientRect().top`)
	testCrowded(alice)
	testKeyboard(alice)
}

// testCrowded shows everything that a page can show at once.
func testCrowded(alice *tab) {
	alice.t.Helper()
	alice.look("light", 1280, 900)
	alice.eval("scrollTo(0, 0)")
	long := strings.Repeat("long-", 40) + "topic"
	alice.enter("#topic", long+"\r")
	alice.becomes(`document.querySelectorAll("#topics li").length === 2`)
	alice.send("topic", long, "Sent to 1 connection")
	alice.send("role", "nothing", "Sent to 0 connections: no open connection has this role")
	alice.enter("#topic", "a::b\r")
	alice.becomes(`document.querySelector("#topic-result").textContent !== ""`)
	alice.click("#pause")
	alice.eval(`void document.querySelectorAll("details").forEach((e) => (e.open = true))`)
	alice.eval(`void (document.querySelector("#grants-label").hidden = false)`)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 768, 1280} {
			name := fmt.Sprintf("crowded-%s-%d", scheme, width)
			alice.look(scheme, width, 900)
			alice.eval(settle)
			alice.screenshot(name)
			alice.expectLayout(name)
			if poor := alice.eval(poorContrast); poor != "" {
				alice.t.Errorf("%s: too little contrast:\n%s", name, poor)
			}
		}
	}
	alice.click("#pause")
	alice.click("#topics li:nth-child(2) button")
	alice.becomes(`document.querySelectorAll("#topics li").length === 1`)
}

// expectLayout checks that the page is as wide as the window, and that in a wide
// window it is as high, too: the columns scroll.
func (b *tab) expectLayout(name string) {
	b.t.Helper()
	if got := b.eval("document.documentElement.scrollWidth - innerWidth"); got != "0" {
		b.t.Errorf("%s: the page is %s pixels wider than the window", name, got)
	}
	if got := b.eval(cutOff); got != "" {
		b.t.Errorf("%s: these are cut off: %s", name, got)
	}
	if got := b.eval(`[".side", "#messages"].map((s) => document.querySelector(s)).filter((e) => e.scrollWidth > e.clientWidth).length`); got != "0" {
		b.t.Errorf("%s: %s columns scroll sideways", name, got)
	}
	if got := b.eval("innerWidth >= 768 && innerHeight >= 600 ? document.documentElement.scrollHeight - innerHeight : 0"); got != "0" {
		b.t.Errorf("%s: the page is %s pixels higher than the window", name, got)
	}
}

// cutOff names the elements that stick out of the window or of their card.
const cutOff = `[...document.querySelectorAll("body *")].filter((e) => {
	if (!e.checkVisibility() || e.closest(".hidden, .name")) return false;
	const r = e.getBoundingClientRect(), card = (e.closest(".card, .top") ?? document.body).getBoundingClientRect();
	return r.width > 0 && (r.left < card.left - 1 || r.right > card.right + 1 || r.right > innerWidth + 1);
}).map((e) => e.id || e.className || e.tagName).join(", ")`

// poorContrast names the texts with less than 4.5 : 1 against what is behind them
// (WCAG 1.4.3), and the fields and buttons whose edge has less than 3 : 1 (1.4.11).
const poorContrast = `(() => {
	const context = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
	const rgba = (color) => {
		context.clearRect(0, 0, 1, 1);
		context.fillStyle = color;
		context.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const background = (e) => {
		if (!e) return [255, 255, 255, 1];
		const own = rgba(getComputedStyle(e).backgroundColor);
		return own[3] === 1 ? own : over(own, background(e.parentElement));
	};
	const luminance = (c) => {
		const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ratio = (a, b) => {
		const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
		return (high + 0.05) / (low + 0.05);
	};
	const poor = [];
	let texts = 0, edges = 0;
	const judge = (e, what, got, least) => {
		if (got < least) poor.push((e.id || e.className || e.tagName) + " (" + e.textContent.slice(0, 20) + "): " + what + " " + got.toFixed(2));
	};
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility() || e.tagName === "NOSCRIPT" || e.tagName === "OPTION") continue;
		const style = getComputedStyle(e);
		if ([...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== "") || e.value) {
			texts++;
			judge(e, "text", ratio(over(rgba(style.color), background(e)), background(e)), 4.5);
		}
		if (!e.matches("input:not([type=checkbox]), select, textarea, button, .button") || style.borderTopWidth === "0px") continue;
		edges++;
		const edge = rgba(style.borderTopColor);
		judge(e, "edge outside", ratio(edge, background(e.parentElement)), 3);
		if (e.matches("input, select, textarea")) judge(e, "edge inside", ratio(edge, background(e)), 3);
	}
	if (texts < 40 || edges < 12) poor.push(texts + " texts and " + edges + " edges were looked at");
	return poor.join("\n");
})()`

// testKeyboard goes through the page with the tab key: everything is reached, has
// a name, and shows that it has the focus.
func testKeyboard(alice *tab) {
	alice.t.Helper()
	alice.look("light", 1280, 900)
	alice.eval(`void (document.querySelector("#toggle").focus(), document.activeElement.blur(), scrollTo(0, 0))`)
	want := alice.eval(`[...document.querySelectorAll("a, button, input, select, textarea, summary, pre[tabindex], ol[tabindex]")]
		.filter((e) => e.checkVisibility() && !e.closest("nav, .top")).map((e) => e.id || e.textContent.trim()).sort().join("; ")`)
	var reached []string
	for range strings.Count(want, ";") + 12 {
		alice.run("tab", chromedp.KeyEvent("\t"))
		at := alice.eval(`(() => {
			const e = document.activeElement, style = getComputedStyle(e);
			if (e === document.body || e.closest("nav, .top")) return "";
			const name = e.labels?.[0]?.textContent ?? (e.ariaLabel || e.textContent);
			if (!name.trim()) return "without a name: " + e.id;
			if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return "focus not shown: " + e.id;
			return e.id || e.textContent.trim();
		})()`)
		if at != "" && !slices.Contains(reached, at) {
			reached = append(reached, at)
		}
	}
	slices.Sort(reached)
	if got := strings.Join(reached, "; "); got != want {
		alice.t.Errorf("the tab key reaches\n%s\nwant\n%s", got, want)
	}
}

// testMotion shows that nothing moves for people who have asked for that.
func testMotion(alice *tab) {
	alice.t.Helper()
	const moving = `[...document.querySelectorAll("#messages li, .dot")].filter((e) => getComputedStyle(e).animationName !== "none").length`
	alice.becomes(moving + " > 0")
	alice.media(&emulation.MediaFeature{Name: "prefers-reduced-motion", Value: "reduce"})
	alice.expectMarked("0", moving)
	alice.media()
}
