#!/bin/sh
# Runs a test binary for `go test -exec`, and then each of its fuzz targets with
# 2,000 inputs, seeds included. The binary has no coverage instrumentation, for which
# Go would compile everything once more: `make fuzz` is guided by coverage.
set -eu

export GORACE="atexit_sleep_ms=0 ${GORACE:-}" # each process would sleep for a second
"$@"
cache=$(mktemp -d) # inputs found before would count
trap 'rm -rf "$cache"' EXIT
trap 'exit 130' INT TERM
for target in $("$1" -test.list '^Fuzz'); do
	"$1" -test.run='^$' -test.fuzz="^$target\$" -test.fuzztime=2000x -test.fuzzminimizetime=200x \
		-test.parallel=1 -test.fuzzcachedir="$cache"
done
