#!/bin/sh
# Installs what `make test` needs and the machine lacks. On Debian and Ubuntu
# that is done with apt-get; elsewhere it says what is missing.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }

have_browser() { have chromium || have chromium-browser || have google-chrome; }

have go || { echo "setup: Go 1.26 or newer is missing; see https://go.dev/dl" >&2; exit 1; }

missing=""
have "${CC:-gcc}" || missing="$missing gcc libc6-dev"
have_browser || missing="$missing chromium"
[ -n "$missing" ] || exit 0

if ! have apt-get; then
	echo "setup: missing:$missing. Install them with your system's package manager, then run make test again." >&2
	exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
	have sudo || { echo "setup: missing:$missing. Run as root: apt-get install -y$missing" >&2; exit 1; }
	sudo="sudo"
fi
echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
