package wsconformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const deflateName = "permessage-deflate"

// The parameters of permessage-deflate, RFC 7692 section 7.1.
const (
	serverFresh = "server_no_context_takeover"
	clientFresh = "client_no_context_takeover"
	serverBits  = "server_max_window_bits"
	clientBits  = "client_max_window_bits"
)

const (
	// plainOffer is what every server with permessage-deflate can accept.
	plainOffer = deflateName
	// freshOffer is the offer without context takeover, and an answer to every offer.
	freshOffer = deflateName + "; " + serverFresh + "; " + clientFresh
)

// deflateTerms are the parameters of an offer or an answer. A parameter without a value has "".
type deflateTerms map[string]string

// parseTerms reads one offer or answer. It knows tokens only; a quoted value is not valid to it.
func parseTerms(entry string) (deflateTerms, error) {
	pieces := strings.Split(entry, ";")
	if name := strings.TrimSpace(pieces[0]); name != deflateName {
		return nil, fmt.Errorf("extension %q", name)
	}
	terms := deflateTerms{}
	for _, piece := range pieces[1:] {
		name, value, valued := strings.Cut(strings.TrimSpace(piece), "=")
		if _, twice := terms[name]; twice || !validTerm(name, value, valued) {
			return nil, fmt.Errorf("parameter %q", strings.TrimSpace(piece))
		}
		terms[name] = value
	}
	return terms, nil
}

func validTerm(name, value string, valued bool) bool {
	switch name {
	case serverFresh, clientFresh:
		return !valued
	case serverBits:
		return validBits(value)
	case clientBits:
		return !valued || validBits(value)
	default:
		return false
	}
}

func validBits(value string) bool {
	n, err := strconv.Atoi(value)
	return err == nil && n >= 8 && n <= maxWindow && strconv.Itoa(n) == value
}

// bits returns a window parameter, and the largest window if there is none.
func (t deflateTerms) bits(name string) int {
	if n, err := strconv.Atoi(t[name]); err == nil {
		return n
	}
	return maxWindow
}

func (t deflateTerms) has(name string) bool {
	_, ok := t[name]
	return ok
}

// directions returns how the client's and the server's messages are compressed under an answer.
func (t deflateTerms) directions() (client, server direction) {
	return direction{t.has(clientFresh), t.bits(clientBits)}, direction{t.has(serverFresh), t.bits(serverBits)}
}

// answers reports whether an answer is one to an offer, RFC 7692 section 7.1.
func (t deflateTerms) answers(offer deflateTerms) bool {
	switch {
	case offer.has(serverFresh) && !t.has(serverFresh):
		return false
	case offer.has(serverBits) && (!t.has(serverBits) || t.bits(serverBits) > offer.bits(serverBits)):
		return false
	case t.has(clientBits) && (!offer.has(clientBits) || t[clientBits] == ""):
		return false
	}
	return !t.has(clientBits) || t.bits(clientBits) <= offer.bits(clientBits)
}

// agreed checks the extensions of a server's answer against the offers. It returns nil terms if
// the server declined all of them.
func agreed(answer, offers []string) (deflateTerms, error) {
	entries := splitList(answer)
	if len(entries) == 0 {
		return nil, nil
	}
	if len(entries) > 1 {
		return nil, fmt.Errorf("it answered %d extensions to one offer", len(entries))
	}
	terms, err := parseTerms(entries[0])
	if err != nil {
		return nil, fmt.Errorf("it answered %q: %w", entries[0], err)
	}
	honest := slices.ContainsFunc(splitList(offers), func(entry string) bool {
		offer, err := parseTerms(entry)
		return err == nil && terms.answers(offer)
	})
	if !honest {
		return nil, fmt.Errorf("it answered %q, which is no answer to %q", entries[0], offers)
	}
	return terms, nil
}

// splitList splits header fields into the entries of their lists.
func splitList(fields []string) (entries []string) {
	for _, field := range fields {
		for entry := range strings.SplitSeq(field, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				entries = append(entries, entry)
			}
		}
	}
	return entries
}
