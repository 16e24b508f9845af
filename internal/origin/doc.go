// Package origin says where a request comes from: from which page, and from which
// network. It decides nothing else, keeps nothing, and is safe for concurrent use.
package origin
