package auth

import (
	"errors"
	"slices"
	"strings"

	"boundary-app.org/realtime/internal/strictjson"
)

// maxNames is the largest number of names that one claim grants.
const maxNames = 512

var (
	errTooMany  = errors.New("more than 512 names")
	errNotNames = errors.New("neither a string nor a list of strings")
	errNotGiven = errors.New("the value of a role's name is not true, an object or a list")
)

// grant holds the names that one claim grants: roles, permissions, or patterns of topics.
// A value that cannot be read grants nothing, and the token stays valid; Requirements
// refuse it if they require the right.
type grant struct {
	names   []string
	dropped int
	cause   error // of the last dropped value
}

// readGrant reads a claim that holds one name as a string, or a list of names. In a claim
// named scope or scp a string holds several names, separated by spaces. If keyed is
// true, the names may also be those of an object.
func readGrant(claims object, claim string, keyed bool, check func(string) error) (g grant) {
	value, err := find(claims, claim)
	switch {
	case err != nil:
		g.drop(err)
	case value == nil:
	case value[0] == '"':
		g.addText(value, isScope(claim), check)
	case value[0] == '[':
		for element := range strictjson.Elements(value) {
			g.addText(element, isScope(claim), check)
		}
	case value[0] == '{' && keyed:
		g.addKeys(value, check)
	default:
		g.drop(errNotNames)
	}
	return g
}

// isScope reports whether the strings of a claim are lists separated by spaces
// (RFC 6749, section 3.3; RFC 8693, section 4.2; RFC 9068, section 2.2.3).
func isScope(claim string) bool {
	last := claim[strings.LastIndexByte(claim, '.')+1:]
	return last == "scope" || last == "scp"
}

func (g *grant) addText(value []byte, scope bool, check func(string) error) {
	names, err := strictjson.Unquote(value)
	switch {
	case err != nil:
		g.drop(err)
	case scope:
		for name := range strings.SplitSeq(names, " ") {
			if name != "" {
				g.add(name, check)
			}
		}
	default:
		g.add(names, check)
	}
}

// addKeys adds the names of an object. The value of a name describes the role, or is
// true; false, null, a number or a string may mean that the user lacks the role.
func (g *grant) addKeys(value []byte, check func(string) error) {
	roles, err := appendObject(nil, value)
	if err != nil {
		g.drop(err)
		return
	}
	for _, role := range roles {
		if first := role.value[0]; first == '{' || first == '[' || first == 't' {
			g.add(string(role.name), check)
		} else {
			g.drop(errNotGiven)
		}
	}
}

func (g *grant) add(name string, check func(string) error) {
	switch err := check(name); {
	case err != nil:
		g.drop(err)
	case slices.Contains(g.names, name):
	case len(g.names) == maxNames:
		g.drop(errTooMany)
	default:
		g.names = append(g.names, name)
	}
}

func (g *grant) drop(cause error) { g.dropped, g.cause = g.dropped+1, cause }
