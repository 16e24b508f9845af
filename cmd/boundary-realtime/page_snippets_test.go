package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
)

// testSnippets copies the snippets and runs them unchanged: the script on a page of
// another port, and the program.
func testSnippets(alice *tab, key string) {
	alice.t.Helper()
	alice.look("light", 1360, 900)
	for _, id := range []string{"curl", "go", "script"} {
		button := fmt.Sprintf("[data-copy=%s]", id)
		alice.eval(fmt.Sprintf(`void (document.querySelector(%q).closest("details").open = true)`, button))
		alice.eval(`void (navigator.clipboard.writeText = async (text) => { globalThis.copied = text; })`)
		alice.click(button)
		alice.becomes(fmt.Sprintf(`document.querySelector(%q).textContent === "Copied" && copied === document.querySelector("#%s").textContent`, button, id))
	}
	for link, want := range map[string]string{"Docs": "/docs/", "API": "/openapi.json"} {
		path := alice.eval(fmt.Sprintf(`[...document.querySelectorAll("nav a")].find((a) => a.textContent === %q).pathname`, link))
		status, _ := call(alice.t, "GET", alice.eval("location.origin")+path, "")
		if path != want || status != 200 {
			alice.t.Errorf("the link %s is to %s (%d), want %s", link, path, status, want)
		}
	}
	testScript(alice)
	testProgram(alice, key)
}

// testScript runs the browser script on a page of another port.
func testScript(alice *tab) {
	alice.t.Helper()
	script := alice.text("#script")
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/script.js" {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, "const seen = []; console.log = console.error = (...all) => seen.push(all);\n", script)
			return
		}
		fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,"><script src="/script.js"></script>`)
	}))
	defer own.Close()
	page := newTab(alice.t, alice.ctx)
	page.run("open a page of one's own", chromedp.Navigate(own.URL))
	page.becomes(`seen.length > 0`)
	page.expectMarked(`$reply true order:123`, `[seen[0][0].type, seen[0][0].ok, seen[0][0].topic].join(" ")`)
	alice.send("topic", "order:123", "Sent to 2 connections")
	page.becomes(`seen.some(([message]) => message.type === "order-updated" && message.topic === "order:123" && message.payload.order === 123)`)
	page.expectComplaints()
}

// testProgram runs the Go program, with all that a payload can hold.
func testProgram(alice *tab, key string) {
	alice.t.Helper()
	alice.choose("#kind", "connection")
	alice.choose("#payload", `{"text": "it's a \"test\" \\ of `+"`quotes`"+` and ümlauts\n"}`)
	alice.becomes(fmt.Sprintf(`document.querySelector("#go").textContent.includes(%q)`, key))
	file := filepath.Join(alice.t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(alice.text("#go")), 0o600); err != nil {
		alice.t.Fatal(err)
	}
	out, err := exec.CommandContext(alice.ctx, "go", "run", file).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != `200 OK {"recipients":1}` {
		alice.t.Errorf("the Go program says %s (%v)", out, err)
	}
	alice.becomes(`document.querySelector("#messages li.message pre").textContent.includes("ümlauts")`)
	if out, err := exec.CommandContext(alice.ctx, "gofmt", "-l", file).CombinedOutput(); err != nil || len(out) > 0 {
		alice.t.Errorf("gofmt: %s (%v)", out, err)
	}
}
