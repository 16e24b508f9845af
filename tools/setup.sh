#!/bin/sh
# Installs what `make test` needs and the machine lacks. On Debian and Ubuntu
# that is done with apt-get; elsewhere it says what is missing. Services of what it
# installs are not started, now or at boot.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }

have_browser() { have chromium || have chromium-browser || have google-chrome; }

have go || { echo "setup: Go 1.26 or newer is missing; see https://go.dev/dl" >&2; exit 1; }

missing=""
have "${CC:-gcc}" || missing="$missing gcc libc6-dev"
have_browser || missing="$missing chromium"
have openssl || missing="$missing openssl"
have curl || missing="$missing curl ca-certificates"
have systemd-analyze || missing="$missing systemd"
proxies=""
for proxy in nginx haproxy caddy; do have "$proxy" || [ -x "/usr/sbin/$proxy" ] || proxies="$proxies $proxy"; done
missing="$missing$proxies"
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
if [ -n "$proxies" ] && [ ! -e /usr/sbin/policy-rc.d ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null # no service may start
	$sudo chmod +x /usr/sbin/policy-rc.d
	trap '$sudo rm -f /usr/sbin/policy-rc.d' EXIT
fi
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
if [ -d /run/systemd/system ]; then
	for proxy in $proxies; do $sudo systemctl disable --quiet "$proxy"; done
fi
