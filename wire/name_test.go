package wire_test

import (
	"errors"
	"strings"
	"testing"

	"boundary-app.org/realtime/wire"
)

// names are held against the rules for topics, and those for other targets.
var names = map[string]struct{ topic, target bool }{
	"a":                          {true, true},
	"order:123":                  {true, true},
	"a.b/c d":                    {true, true},
	"ü":                          {true, true},
	strings.Repeat("a", 255):     {true, true},
	strings.Repeat("ü", 127):     {true, true},
	"a$":                         {true, true},
	"\ufeff":                     {true, true},
	"$a":                         {false, true},
	"*":                          {false, true},
	"order:*":                    {false, true},
	">":                          {false, true},
	":":                          {false, true},
	":a":                         {false, true},
	"a:":                         {false, true},
	"a::b":                       {false, true},
	"":                           {false, false},
	strings.Repeat("a", 256):     {false, false},
	strings.Repeat("ü", 128):     {false, false},
	"\xff":                       {false, false},
	"\xed\xa0\x80":               {false, false},
	"a\x00":                      {false, false},
	"a\nb":                       {false, false},
	"\x7f":                       {false, false},
	"\u0085":                     {false, false},
	"a" + strings.Repeat(":", 3): {false, true},
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, valid := range names {
		if err := wire.CheckTopic(name); valid.topic != (err == nil) || err != nil && !errors.Is(err, wire.ErrInvalidTopic) {
			t.Errorf("topic %.20q: %v, want valid = %v", name, err, valid.topic)
		}
		if err := wire.CheckTarget("role", name); valid.target != (err == nil) || err != nil && !errors.Is(err, wire.ErrInvalidTarget) {
			t.Errorf("target %.20q: %v, want valid = %v", name, err, valid.target)
		}
	}
	if err := wire.CheckTarget("role", ""); !strings.Contains(err.Error(), "role: it is empty") {
		t.Errorf("the error does not name what it is about: %v", err)
	}
}
