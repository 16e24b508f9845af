package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
)

type object = map[string]any

// document is openapi.json.
type document struct{ root object }

func readDocument(t testing.TB) document {
	t.Helper()
	d, err := parseDocument()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// parseDocument reads the file once; nobody changes what it returns.
var parseDocument = sync.OnceValues(func() (d document, err error) {
	data, err := os.ReadFile("openapi.json")
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(data, &d.root)
})

// operation is one method of one path.
type operation struct {
	method, path string
	text         object
}

func (o operation) name() string { return o.method + " " + o.path }

func (d document) operations() (all []operation) {
	for path, item := range d.root["paths"].(object) {
		for method, text := range item.(object) {
			all = append(all, operation{strings.ToUpper(method), path, text.(object)})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.name(), b.name()) })
	return all
}

// find returns the operation that a request is one of.
func (d document) find(r *http.Request) (operation, bool) {
	for _, o := range d.operations() {
		if o.method == r.Method && matches(o.path, r.URL.EscapedPath()) {
			return o, true
		}
	}
	return operation{}, false
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		named := strings.HasPrefix(want[i], "{") && !slices.Contains([]string{"", ".", "..", "%2F"}, got[i])
		if !named && want[i] != got[i] {
			return false
		}
	}
	return true
}

func (o operation) statuses() (all []int) {
	for status := range o.text["responses"].(object) {
		n, _ := strconv.Atoi(status)
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// check holds an answer against the document, and against what all answers have.
func (d document) check(t testing.TB, r *http.Request, a answer) {
	t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": ""} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s %s: %s is %q, want %q", r.Method, r.URL, name, got, want)
		}
	}
	response := undocumented // a problem
	if o, ok := d.find(r); ok {
		if response, ok = o.text["responses"].(object)[strconv.Itoa(a.status)].(object); !ok {
			t.Errorf("%s answered %d, which is not documented: %s", o.name(), a.status, a.text)
			return
		}
	} else if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed && a.status != http.StatusUnauthorized {
		t.Errorf("%s %s is not documented, and answered %d", r.Method, r.URL, a.status)
	}
	if err := d.checkResponse(d.resolve(response), a); err != nil {
		t.Errorf("%s %s answered %d with %s: %v", r.Method, r.URL, a.status, a.text, err)
	}
}

// undocumented is the answer to what is no operation: the description of the
// whole tells of it.
var undocumented = object{
	"description": "`unknown_path`, `method_not_allowed`, `missing_key`, `invalid_key`",
	"content":     object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}},
}

func (d document) checkResponse(response object, a answer) error {
	headers, _ := response["headers"].(object)
	for name := range headers {
		if a.header.Get(name) == "" {
			return fmt.Errorf("the header %s is missing", name)
		}
	}
	content, _ := response["content"].(object)
	if content == nil {
		if a.text != "" {
			return fmt.Errorf("there should be no body")
		}
		return nil
	}
	media, ok := content[a.header.Get("Content-Type")].(object)
	if !ok {
		return fmt.Errorf("the Content-Type is %q", a.header.Get("Content-Type"))
	}
	if a.status >= 400 && a.json["status"] != float64(a.status) {
		return fmt.Errorf("the problem has the status %v", a.json["status"])
	}
	if a.status >= 400 && !strings.Contains(response["description"].(string), fmt.Sprintf("`%v`", a.json["code"])) {
		return fmt.Errorf("the code %v is not documented for this answer: %s", a.json["code"], response["description"])
	}
	return d.validate("answer", media["schema"].(object), a.json)
}

func TestTheDocumentAndTheRoutesAreTheSame(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	var documented []string
	for _, o := range readDocument(t).operations() {
		documented = append(documented, o.name())
	}
	routes := api.Routes(s.Service)
	slices.Sort(routes)
	if !slices.Equal(documented, routes) {
		t.Errorf("documented:\n%s\nroutes:\n%s", strings.Join(documented, "\n"), strings.Join(routes, "\n"))
	}
}

func TestTheDocumentIsServedWithoutAKey(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	response, err := s.http.Client().Get(s.http.URL + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	a := readAnswer(t, response.Request, response).want(t, http.StatusOK)
	if a.json["openapi"] != "3.1.0" || len(a.json["paths"].(object)) != len(readDocument(t).root["paths"].(object)) {
		t.Errorf("the document served is another one: %.100s", a.text)
	}
}

func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	used := map[string]bool{}
	var walk func(value any)
	walk = func(value any) {
		switch v := value.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case object:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
				if d.resolve(v) == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(d.root)
	for kind, components := range d.root["components"].(object) {
		for name := range components.(object) {
			if ref := "#/components/" + kind + "/" + name; kind != "securitySchemes" && !used[ref] {
				t.Errorf("%s is not used", ref)
			}
		}
	}
}

func TestEveryPathParameterIsDocumented(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	for _, o := range d.operations() {
		var want, got []string
		for segment := range strings.SplitSeq(o.path, "/") {
			if strings.HasPrefix(segment, "{") {
				want = append(want, strings.Trim(segment, "{}"))
			}
		}
		parameters, _ := o.text["parameters"].([]any)
		for _, p := range parameters {
			if parameter := d.resolve(p.(object)); parameter["in"] == "path" {
				got = append(got, parameter["name"].(string))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s documents the parameters %q, want %q", o.name(), got, want)
		}
	}
}

// exampleConnection stands in examples for a connection that there is.
const exampleConnection = "q0Zx2m7cQ1mB3n4v5b6n7A"

// TestExamplesAreAccepted sends every example of a request body.
func TestExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	d := readDocument(t)
	for _, o := range d.operations() {
		body, ok := o.text["requestBody"].(object)
		if !ok {
			continue
		}
		media := d.resolve(body)["content"].(object)["application/json"].(object)
		for name, example := range media["examples"].(object) {
			value := example.(object)["value"]
			if err := d.validate(name, media["schema"].(object), value); err != nil {
				t.Errorf("%s: the example is not what the schema says: %v", o.name(), err)
			}
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			id := s.dial(t, "of "+name).id // one example revokes its token
			body := strings.ReplaceAll(string(text), exampleConnection, id)
			s.call(t, o.method, fill(o.path, id), body).want(t, http.StatusOK)
		}
	}
}

// fill puts values into the parameters of a path.
func fill(path, id string) string {
	return strings.NewReplacer("{user}", "u1", "{role}", "admin", "{topic}", "order:1", "{source}", "order:2", "{id}", id).Replace(path)
}
