package auth

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"boundary-app.org/realtime/internal/strictjson"
)

func TestAppendObject(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range maxMembers + 1 {
		fmt.Fprintf(&many, `,"%d":0`, i)
	}
	for _, c := range []struct {
		name, in string
		want     []string // name, value, name, value, ...
		err      error
	}{
		{"empty", ` { } `, nil, nil},
		{
			"all kinds", "{\t\"a\" : \"x\\\"}\" ,\r\n\"b\":[1,{\"]\":\"[\"}],\"c\":{\"a\":{}},\"d\":-1.5e3,\"e\":true,\"f\":null }",
			[]string{"a", `"x\"}"`, "b", `[1,{"]":"["}]`, "c", `{"a":{}}`, "d", "-1.5e3", "e", "true", "f", "null"},
			nil,
		},
		{"escaped name", `{"\u0061\n":1}`, []string{"a\n", "1"}, nil},
		{"duplicate", `{"a":1,"b":2,"a":1}`, nil, errDuplicate},
		{"duplicate by escape", `{"a":1,"\u0061":2}`, nil, errDuplicate},
		{"lone surrogate in name", `{"\ud800":1}`, nil, strictjson.ErrSurrogate},
		{"list", `[]`, nil, errNotObject},
		{"string", `"a"`, nil, errNotObject},
		{"nothing", ``, nil, errNotObject},
		{"cut", `{"a":1`, nil, errNotObject},
		{"two", `{}{}`, nil, errNotObject},
		{"bad UTF-8", "{\"a\":\"\xff\"}", nil, errNotObject},
		{"too many", "{" + many.String()[1:] + "}", nil, errMembers},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, err := appendObject(nil, []byte(c.in))
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			var got []string
			for _, m := range o {
				got = append(got, string(m.name), string(m.value))
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
