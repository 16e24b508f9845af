package api_test

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"boundary-app.org/realtime/api"
)

func TestEveryCodeIsDocumented(t *testing.T) {
	t.Parallel()
	schemas := readDocument(t).root["components"].(object)["schemas"].(object)
	var documented []string
	for _, c := range schemas["Problem"].(object)["properties"].(object)["code"].(object)["enum"].([]any) {
		documented = append(documented, c.(string))
	}
	slices.Sort(documented)
	if codes := slices.Sorted(maps.Keys(api.Codes())); !slices.Equal(documented, codes) {
		t.Errorf("the document has the codes %q, the API %q", documented, codes)
	}
}

// TestTheTableOfCodes holds docs/errors.md against the codes.
func TestTheTableOfCodes(t *testing.T) {
	t.Parallel()
	table := map[string]int{}
	for _, head := range tableOf(t, "API calls") {
		if code, status, ok := strings.Cut(head, " "); ok {
			table[code], _ = strconv.Atoi(status)
		}
	}
	if !maps.Equal(table, api.Codes()) {
		t.Errorf("the table has %v, the API %v", table, api.Codes())
	}
}

// TestEveryAnswerNamesItsCodes holds the descriptions of answers against the
// statuses of the codes.
func TestEveryAnswerNamesItsCodes(t *testing.T) {
	t.Parallel()
	d, named := readDocument(t), map[string]string{"unknown_path": "404", "method_not_allowed": "405"}
	for _, o := range d.operations() {
		for status, response := range o.text["responses"].(object) {
			description := d.resolve(response.(object))["description"].(string)
			for _, match := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(description, -1) {
				named[match[1]] = status
			}
		}
	}
	for code, status := range api.Codes() {
		if named[code] != strconv.Itoa(status) {
			t.Errorf("%s has the status %d, documented with %q", code, status, named[code])
		}
	}
}
