#!/bin/sh
# Runs every fuzz target of the module for the given time each, or so many inputs
# as 2000x, one target per processor. An input that fails is written below
# the package's testdata/fuzz: it belongs into the commit that mends it. What the
# fuzzer finds worth keeping stays in Go's build cache, for the next run.
set -eu

time=${1:-10m}
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
trap 'exit 130' INT TERM
cache=$(go env GOCACHE)/fuzz
case $time in *x) cache=$bin/cache ;; esac # inputs found before would count
processors=$(getconf _NPROCESSORS_ONLN)

# build prepares the package in folder $2 and lists its targets: a line each has
# the binary, the folder and the target.
# shellcheck disable=SC2016
build='
	name=$1/$(echo "$2" | tr -c "a-z\n" _)
	go test -c -fuzz=. -o "$name" "$2"
	grep -hoE "^func Fuzz[A-Za-z0-9_]+" "$2"/*_test.go | sort -u | sed "s|^func |$name $2 |"
'
grep -rlE '^func Fuzz' --include='*_test.go' . | grep -v '^./bench/' | xargs -n 1 dirname | sort -u |
	xargs -P "$processors" -n 1 sh -euc "$build" build "$bin" >"$bin/list"

# run goes on with the other targets where one has a finding; xargs fails then.
# shellcheck disable=SC2016
run='
	time=$1 cache=$2 bin=$3 dir=$4 target=$5
	cd "$dir"
	if "$bin" -test.run="^\$" -test.fuzz="^$target\$" -test.fuzztime="$time" -test.fuzzminimizetime=200x \
		-test.parallel=1 -test.fuzzcachedir="$cache/$dir" >"$bin.$target" 2>&1; then
		runs=$(grep -o "execs: [0-9]*" "$bin.$target" | tail -n 1)
		if [ -n "$runs" ] && [ "$runs" != "execs: 0" ]; then
			echo "fuzz: $dir $target: $runs, no finding"
			exit 0
		fi
		echo "fuzz: $dir $target: the time was over before it began"
	else
		cat "$bin.$target"
		echo "fuzz: $dir $target: FINDING, see above"
	fi
	exit 1
'
sort "$bin/list" | xargs -P "$processors" -n 3 sh -euc "$run" run "$time" "$cache"
