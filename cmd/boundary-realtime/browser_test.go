package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// screenshotsTo names the directory that TestPage leaves its screenshots in, for
// people to look at.
const screenshotsTo = "SCREENSHOTS"

// tab is one page of the browser, and what it complained of.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string // guarded by mu
}

// newTab opens a tab in a browser, the first one or another, or attaches to one.
func newTab(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.listen))...)
	t.Cleanup(cancel)
	b.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return b
}

func (b *tab) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complain("exception: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.complain(fmt.Sprintf("console: %v", e.Type))
	case *cdplog.EventEntryAdded: // violations of the policy, and failed requests
		b.complain(fmt.Sprintf("%v %v: %s", e.Entry.Source, e.Entry.Level, e.Entry.Text))
	}
}

func (b *tab) complain(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, what)
}

func (b *tab) expectComplaints(want ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff(want, b.complaints); diff != "" {
		b.t.Errorf("what the browser complains of (-want +got):\n%s", diff)
	}
}

type step = chromedp.Action[chromedp.Void]

// run carries out steps, and fails the test where they do not end in time.
func (b *tab) run(what string, steps ...step) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail(what, err)
	}
}

func (b *tab) fail(what string, err error) {
	b.t.Helper()
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	b.screenshot("failure")
	b.t.Fatalf("%s: %v; the page says:\n%s", what, err, text)
}

// eval returns the value of an expression as text.
func (b *tab) eval(expression string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("(async () => String(await ("+expression+")))()", chromedp.EvalAwaitPromise))
	if err != nil {
		b.fail(expression, err)
	}
	return text
}

// becomes waits until an expression holds.
func (b *tab) becomes(expression string) {
	b.t.Helper()
	timeout, ticker := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer ticker.Stop()
	for b.eval("Boolean("+expression+")") != "true" {
		select {
		case <-ticker.C:
		case <-timeout:
			b.fail("waiting for "+expression, context.DeadlineExceeded)
		}
	}
}

// toFront makes a tab the one that gets clicks and keys.
func toFront(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	_, err := cdp.Call(ctx, t, page.BringToFront, cdp.Empty{})
	return chromedp.Void{}, err
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.run("click "+selector, toFront, chromedp.Click(chromedp.CSS(selector)))
}

// enter replaces the text of a field, key by key.
func (b *tab) enter(selector, text string) {
	b.t.Helper()
	b.eval(fmt.Sprintf("document.querySelector(%q).select()", selector)) // what is typed takes its place
	b.run("enter into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
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
	b.click("#send")
	b.becomes(fmt.Sprintf("document.querySelector('#send-result').textContent === %q", verdict))
}

func (b *tab) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv(screenshotsTo)
	if dir == "" {
		dir = b.t.TempDir()
	}
	image, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Errorf("screenshot %s: %v", name, err)
	}
	if len(image) < 10_000 {
		b.t.Errorf("the screenshot %s has %d octets only", name, len(image))
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), image, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// look makes the window a size and gives it a colour scheme.
func (b *tab) look(scheme string, width, height int64) {
	b.t.Helper()
	b.run("look "+scheme, toFront, chromedp.EmulateViewport(width, height))
	b.media(&emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme})
}

// media sets what the person at the browser prefers.
func (b *tab) media(features ...*emulation.MediaFeature) {
	b.t.Helper()
	b.run("media", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	}))
}

// settle ends what moves, for the sake of the screenshot.
const settle = `scrollTo(0, 0), document.activeElement.blur(), Promise.all(document.getAnimations().map((a) => a.finished.catch(() => {})))`
