package main

import (
	"encoding"
	"fmt"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/apiclient"
)

// addressArgs are the arguments that name connections, such as "user u1".
type addressArgs struct {
	To   kind   `arg:"" help:"Kind of address: user, role, topic, connection or everyone."`
	Name string `arg:"" optional:"" help:"Name of the user, role, topic or connection."`
}

// kind is the kind of an address.
type kind string

const everyone kind = "everyone"

var _ encoding.TextUnmarshaler = (*kind)(nil)

// UnmarshalText accepts the five kinds, and "broadcast" as another word for everyone.
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
		return "", wrongUsage("everyone has no name; leave out %q", a.Name)
	case a.To == everyone:
		return "/v1/everyone", nil
	case a.Name == "":
		return "", wrongUsage("give the name of the %s", a.To)
	}
	return apiclient.Path("v1", string(a.To)+"s", a.Name), nil
}
