#!/bin/sh
# Runs every fuzz target of the module for the given time each.
set -eu
time=${1:-10m}
grep -rlE '^func Fuzz' --include='*_test.go' . | grep -v '^./bench/' | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/^func //' | sort -u | while read -r target; do
		echo "fuzz: $dir $target for $time"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir"
	done
done
