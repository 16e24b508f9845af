//go:build !race

package wire_test

import "testing"

func skipUnderRace(*testing.T) {}
