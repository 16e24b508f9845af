// Package origin tells where a request comes from: from which page, and from which
// address. It decides nothing else, keeps nothing, and is safe for concurrent use.
package origin
