// Package archtest holds the checks of the repository itself: which package imports
// which, that the documents name tests that exist, and that what the root exports is
// used. It holds nothing else.
package archtest
