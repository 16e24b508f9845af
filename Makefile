# `make test` needs Go, git and make; on Debian and Ubuntu it installs the rest.
GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
BIN     := bin/boundary-realtime
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)

.PHONY: build test setup check unit bench-test conformance soak bench bench-quick fmt fuzz clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/boundary-realtime

test: setup check unit bench-test

# setup installs what the tests need and is not there: a C compiler for the race
# detector, Chromium for the browser test.
setup:
	@sh tools/setup.sh

# check is everything that does not run the code.
check:
	@unformatted=$$($(TOOL) gofumpt -l .); if [ -n "$$unformatted" ]; then \
		echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run -C tools ./typecheck -dir .. darwin windows
	$(TOOL) staticcheck ./...
	cd bench && $(GO) vet ./...

# unit runs the tests, and each fuzz target for a moment. check has vetted them.
unit:
	$(GO) test -race -vet=off -timeout 10m -exec "sh '$(CURDIR)/tools/unit.sh'" ./...
	$(GO) test -count=1 ./internal/strictjson ./wire ./internal/session # speed and allocations

# bench-test tests the benchmark's own code; the benchmark is `make bench`.
bench-test:
	cd bench && $(GO) test ./...

# conformance runs the WebSocket cases in their full counts, on our server and
# client, and holds other libraries against them. About ten minutes.
conformance:
	CONFORMANCE=full $(GO) test -count=1 -timeout 60m -v -run 'TestServer$$|TestClient$$' ./internal/wsconformance
	cd bench && $(GO) test -count=1 -v ./conformance

# soak sends a million messages at least, for ten minutes at least, through
# connections that break at random; it measures neighbours of hostile clients,
# stops a server with 2,000 clients for a minute and drains one with 10,000. It
# wants a machine with nothing else to do.
soak:
	$(GO) test -run '^(TestSoak|TestSoakNeighbour|TestStoppedProcess|TestDrainUnderLoad)$$' -v -count=1 -timeout 0 ./internal/faults -soak 1000000 -duration 10m -drain 10000

# bench takes about 20 minutes and wants a machine with nothing else to do.
bench:
	cd bench && $(GO) run ./run

bench-quick:
	cd bench && $(GO) run ./run -quick

# fuzz runs every fuzz target for ten minutes each, guided by coverage: some three
# hours on two processors.
FUZZTIME ?= 10m
fuzz:
	@sh tools/fuzz.sh $(FUZZTIME)

fmt:
	$(TOOL) gofumpt -w .

clean:
	rm -rf bin bench/bin
