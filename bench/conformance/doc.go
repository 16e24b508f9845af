// Package conformance runs our conformance suite against the WebSocket servers of other projects.
// It shows that the suite finds what they are known to do otherwise; it ranks nobody: some of it is
// their documented choice.
package conformance
