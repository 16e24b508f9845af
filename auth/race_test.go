//go:build race

package auth

// slowdown is what the race detector may cost.
const slowdown = 20
