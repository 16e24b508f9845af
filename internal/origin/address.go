package origin

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks whose headers about a client count: the address it
// comes from, and the origin it has asked for.
type Proxies []netip.Prefix

// ClientKey returns the key under which the connections from an address are
// counted together: the address, or of an IPv6 address its /64, all of which one
// client has. Connections without an address have one key.
func ClientKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	switch {
	case !a.IsValid():
		return noAddress
	case a.Is6():
		b := a.As16()
		return string(b[:8])
	}
	return string(a.AsSlice())
}

// Client returns the address that a request comes from: the one at the other end
// of the connection or, when that is a proxy of ours, the one that the proxy
// says, the last in X-Forwarded-For, and so on from proxy to proxy. What stands
// further left was written by the client itself. The address is not valid when
// the connection has none.
func (p Proxies) Client(r *http.Request) netip.Addr {
	at, _ := parseHop(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for ; len(hops) > 0 && p.Trusts(at); hops = hops[:len(hops)-1] {
		hop, ok := parseHop(hops[len(hops)-1])
		if !ok {
			break
		}
		at = hop
	}
	return at
}

// AddressText writes an address for the log; one that is not valid is "unknown".
func AddressText(a netip.Addr) string {
	if !a.IsValid() {
		return "unknown"
	}
	return a.String()
}

// NewProxies writes IPv4 networks that are written as networks of IPv6 as what they
// are: addresses are compared in this form.
func NewProxies(networks []netip.Prefix) (plain Proxies) {
	for _, n := range networks {
		if n.Addr().Is4In6() && n.Bits() >= 96 {
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		plain = append(plain, n)
	}
	return plain
}

// Trusts reports whether an address is a proxy's.
func (p Proxies) Trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(a) })
}

// parseHop reads an address, which may have a port and brackets.
func parseHop(text string) (a netip.Addr, ok bool) {
	text = strings.TrimSpace(text)
	if with, err := netip.ParseAddrPort(text); err == nil {
		a = with.Addr()
	} else if a, err = netip.ParseAddr(strings.Trim(text, "[]")); err != nil {
		return a, false
	}
	return a.Unmap().WithZone(""), true
}

// noAddress is the key of connections that have none.
const noAddress = "-"
