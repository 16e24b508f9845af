//go:build unix

package doctest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"boundary-app.org/realtime/internal/chromium"
)

// page is an empty page of an origin of its own, as a developer's would be, and
// what its console shows.
type page struct {
	t   *testing.T
	ctx context.Context

	mu      sync.Mutex
	console []string // guarded by mu
}

func openPage(t *testing.T, port string) *page {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	site := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, "<!doctype html><title>a page of my own</title><link rel=icon href=data:,>")
	})}
	served := make(chan struct{})
	go func() { _ = site.Serve(listener); close(served) }()
	t.Cleanup(func() { _ = site.Close(); <-served })
	p := &page{t: t}
	ctx, cancel := chromedp.NewContext(chromium.Start(t), chromedp.WithListener(p.listen))
	t.Cleanup(cancel)
	p.ctx = ctx
	if err := chromedp.Do(ctx, chromedp.Navigate("http://localhost:"+port)); err != nil {
		t.Fatalf("open a page: %v", err)
	}
	return p
}

func (p *page) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.show("exception: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		p.show(consoleLine(e.Args))
	case *cdplog.EventEntryAdded:
		p.show("browser: " + e.Entry.Text)
	}
}

func consoleLine(arguments []*runtime.RemoteObject) string {
	var words []string
	for _, a := range arguments {
		var text string
		if json.Unmarshal(a.Value, &text) != nil {
			text = string(a.Value)
		}
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

func (p *page) show(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.console = append(p.console, line)
}

func (p *page) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.console[:len(p.console):len(p.console)]
}

// run evaluates a script in the page, as pasted into its console.
func (p *page) run(b block) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, outputTime)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](b.Text+"\n;null")); err != nil {
		p.t.Fatalf("%s: the page does not run it: %v", b.Place, err)
	}
}
