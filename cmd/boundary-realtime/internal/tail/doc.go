// Package tail owns a client that prints what arrives: it connects, subscribes,
// and comes back after a loss as the close code allows.
//
// It never prints the token, nor the query of its address. Run may be called at
// the same time for different clients.
package tail
