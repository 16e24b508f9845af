package main

import (
	"encoding"
	"fmt"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/apiclient"
)

// addressArgs name connections on the command line.
type addressArgs struct {
	To   kind   `arg:"" help:"Whose connections: user, role, topic, connection or everyone."`
	Name string `arg:"" optional:"" help:"Which user, role, topic or connection."`
}

// kind is a word for how connections are named.
type kind string

const everyone kind = "everyone"

var _ encoding.TextUnmarshaler = (*kind)(nil)

// UnmarshalText accepts the five kinds, and "broadcast", an older word for everyone.
func (k *kind) UnmarshalText(text []byte) error {
	switch *k = kind(text); *k {
	case "user", "role", "topic", "connection", everyone:
	case "broadcast":
		*k = everyone
	default:
		return fmt.Errorf("must be one of user, role, topic, connection and everyone, not %q", text)
	}
	return nil
}

// path returns the path of the API for the address.
func (a *addressArgs) path() (string, error) {
	switch {
	case a.To == everyone && a.Name != "":
		return "", wrongUsage("everyone has no name, but %q is given", a.Name)
	case a.To == everyone:
		return "/v1/everyone", nil
	case a.Name == "":
		return "", wrongUsage("say which %s", a.To)
	}
	return apiclient.Path("v1", string(a.To)+"s", a.Name), nil
}
