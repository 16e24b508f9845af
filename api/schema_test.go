package api_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// resolve follows a reference inside the document; nil where it leads nowhere.
func (d document) resolve(value object) object {
	ref, ok := value["$ref"].(string)
	if !ok {
		return value
	}
	found := any(d.root)
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		parent, _ := found.(object)
		found = parent[name]
	}
	result, _ := found.(object)
	return result
}

// validate checks a value with those words of JSON Schema that the document
// uses, as far as they can be wrong in an answer.
func (d document) validate(at string, schema object, value any) error {
	schema = d.resolve(schema)
	if want, ok := schema["type"].(string); ok && typeOf(value, want) != want {
		return fmt.Errorf("%s is %v, not of type %s", at, value, want)
	}
	if options, ok := schema["enum"].([]any); ok && !slices.Contains(options, value) {
		return fmt.Errorf("%s is %v, none of %v", at, value, options)
	}
	if want, ok := schema["const"]; ok && !reflect.DeepEqual(want, value) {
		return fmt.Errorf("%s is %v, not %v", at, value, want)
	}
	if options, ok := schema["oneOf"].([]any); ok {
		return d.validateOne(at, options, value)
	}
	switch v := value.(type) {
	case object:
		return d.validateObject(at, schema, v)
	case []any:
		items, _ := schema["items"].(object)
		for i, item := range v {
			if err := d.validate(fmt.Sprintf("%s[%d]", at, i), items, item); err != nil {
				return err
			}
		}
	case string:
		return length(at, schema, len(v))
	case float64:
		if least, ok := schema["minimum"].(float64); ok && v < least {
			return fmt.Errorf("%s is %v, less than %v", at, v, least)
		}
		if most, ok := schema["maximum"].(float64); ok && v > most {
			return fmt.Errorf("%s is %v, more than %v", at, v, most)
		}
	}
	return nil
}

func length(at string, schema object, n int) error {
	if least, ok := schema["minLength"].(float64); ok && n < int(least) {
		return fmt.Errorf("%s has %d characters, less than %v", at, n, least)
	}
	if most, ok := schema["maxLength"].(float64); ok && n > int(most) {
		return fmt.Errorf("%s has %d octets, more than %v", at, n, most)
	}
	return nil
}

func typeOf(value any, want string) string {
	switch v := value.(type) {
	case object:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if want == "integer" && v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	}
	return "null"
}

func (d document) validateOne(at string, options []any, value any) error {
	fits := 0
	for _, option := range options {
		if d.validate(at, option.(object), value) == nil {
			fits++
		}
	}
	if fits != 1 {
		return fmt.Errorf("%s fits %d of the schemas of oneOf", at, fits)
	}
	return nil
}

func (d document) validateObject(at string, schema, value object) error {
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := value[name.(string)]; !ok {
			return fmt.Errorf("%s has no %q", at, name)
		}
	}
	properties, _ := schema["properties"].(object)
	for name, member := range value {
		property, ok := properties[name].(object)
		if !ok && schema["additionalProperties"] == false {
			return fmt.Errorf("%s has an unknown %q", at, name)
		}
		if err := d.validate(at+"."+name, property, member); err != nil {
			return err
		}
	}
	return nil
}

// TestSchemasAreChecked makes sure that the checker above can fail.
func TestSchemasAreChecked(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	id := strings.Repeat("A", 22)
	for _, c := range []struct {
		schema string
		value  any
		ok     bool
	}{
		{"Receipt", object{"recipients": 1.0}, true},
		{"Receipt", object{"recipients": 1.5}, false},
		{"Receipt", object{"recipients": -1.0}, false},
		{"Receipt", object{"recipients": "1"}, false},
		{"Receipt", object{}, false},
		{"Receipt", object{"recipients": 1.0, "more": true}, false},
		{"Receipt", nil, false},
		{"SubscriberList", object{"subscribers": []any{id}, "total": 1.0}, true},
		{"SubscriberList", object{"subscribers": []any{id, 1.0}, "total": 1.0}, false},
		{"SubscriberList", object{"subscribers": nil, "total": 1.0}, false},
		{"SubscriberList", object{"subscribers": []any{"short"}, "total": 1.0}, false},
		{"Address", object{"user": "u1"}, true},
		{"Address", object{"user": "u1", "role": "r"}, false},
		{"Address", object{"everyone": false}, false},
		{"CloseOrder", object{"code": 1000.0}, true},
		{"CloseOrder", object{"code": 1002.0}, false},
		{"CloseOrder", object{"code": 5000.0}, false},
		{"Problem", object{"type": "urn:other", "title": "", "status": 400.0, "detail": ""}, false},
	} {
		err := d.validate("value", object{"$ref": "#/components/schemas/" + c.schema}, c.value)
		if (err == nil) != c.ok {
			t.Errorf("%v as %s: %v", c.value, c.schema, err)
		}
	}
}

// TestEverySchemaWordIsKnown keeps the document to what the checker checks, and
// to words that only tell people something.
func TestEverySchemaWordIsKnown(t *testing.T) {
	t.Parallel()
	known := []string{
		"$ref", "type", "const", "oneOf", "required", "properties", "additionalProperties", "items", "minLength", "maxLength", "minimum",
		"maximum", "maxItems", "pattern", "format", "description", "examples", "default",
	}
	for name, schema := range readDocument(t).root["components"].(object)["schemas"].(object) {
		for word := range schema.(object) {
			if !slices.Contains(known, word) {
				t.Errorf("the schema %s uses %q", name, word)
			}
		}
	}
}
