// Package revocation is the list of tokens that are refused before they expire:
// those of a user, one by its id, or one that has no id by what it says.
//
// It owns what an entry covers and how long it is kept, and nothing else: it
// does no I/O, knows no connections and takes the time as an argument. A List is
// safe for concurrent use; everything else is a value.
package revocation
