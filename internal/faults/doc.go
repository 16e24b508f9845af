// Package faults holds the oracle of the fault tests, and in its tests what a
// node must survive: half-open connections, resets, cuts, stalls, slow links,
// panicking callbacks, storms, a drain under load, and a soak of them all.
//
// Every payload carries a Stamp: which publisher sent it to which stream, as
// which number, with a checksum. A Ledger knows what was sent; a Log is what one
// subscriber got, connection by connection, and finds what must not be: a
// corrupt payload, a duplicate, a wrong order, a gap within a connection's life,
// an end that nobody caused. What lies between two connections may be lost, for
// as long as there is no resume.
//
// The oracle is pure: it does no I/O, starts no goroutine and asks no clock.
package faults
