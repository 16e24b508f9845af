package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"boundary-app.org/realtime"
)

// value is a field of a Config in the form in which a user writes and reads it. An error
// of set names the allowed values.
type value interface {
	set(text string) error
	String() string
}

type text struct{ to *string }

func (v text) set(s string) error { *v.to = s; return nil }
func (v text) String() string     { return *v.to }

// link is a URL that is printed without possible credentials.
type link struct{ to *string }

func (v link) set(s string) error { *v.to = s; return nil }

func (v link) String() string {
	if *v.to == "" {
		return ""
	}
	u, err := url.Parse(*v.to)
	if err != nil || u.Host == "" {
		return redact(true)
	}
	if u.User != nil {
		u.User = url.User("redacted")
	}
	if u.RawQuery != "" {
		u.RawQuery = "redacted"
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String()
}

type secretText struct{ to *Secret }

func (v secretText) set(s string) error { *v.to = Secret(s); return nil }
func (v secretText) String() string     { return redact(len(*v.to) > 0) }

type secretList struct{ to *[]Secret }

func (v secretList) set(s string) error { *v.to = splitKeys(s); return nil }
func (v secretList) String() string     { return redact(len(*v.to) > 0) }

func redact(present bool) string {
	if !present {
		return ""
	}
	return Secret("").String()
}

// splitKeys splits a list of keys and drops empty ones, which must not give access.
func splitKeys(s string) (keys []Secret) {
	for _, key := range splitList(s) {
		keys = append(keys, Secret(key))
	}
	return keys
}

type list struct{ to *[]string }

func (v list) set(s string) error { *v.to = splitList(s); return nil }
func (v list) String() string     { return strings.Join(*v.to, ",") }

func splitList(s string) (items []string) {
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

type toggle struct{ to *bool }

func (v toggle) set(s string) error {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		*v.to = true
	case "false", "0", "no", "off":
		*v.to = false
	default:
		return fmt.Errorf("%q is neither true nor false", s)
	}
	return nil
}

func (v toggle) String() string { return strconv.FormatBool(*v.to) }

type choice struct {
	to      *string
	allowed []string
}

func (v choice) set(s string) error {
	if !slices.Contains(v.allowed, s) {
		return fmt.Errorf("%q is not allowed; use %s", s, alternatives(v.allowed))
	}
	*v.to = s
	return nil
}

func (v choice) String() string { return *v.to }

type level struct{ to *slog.Level }

func (v level) set(s string) error {
	allowed := []string{"debug", "info", "warn", "error"}
	if !slices.Contains(allowed, s) {
		return fmt.Errorf("%q is not allowed; use %s", s, alternatives(allowed))
	}
	return v.to.UnmarshalText([]byte(s))
}

func (v level) String() string { return strings.ToLower(v.to.String()) }

func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

type duration struct {
	to          *time.Duration
	least, most time.Duration
}

func (v duration) set(s string) error {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a duration; write it as 25s, 1m30s or 500ms", s)
	case d < v.least || d > v.most:
		return fmt.Errorf("%q is out of range; use %v to %v", s, v.least, v.most)
	}
	*v.to = d
	return nil
}

func (v duration) String() string { return v.to.String() }

type number struct{ to *int }

func (v number) set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return fmt.Errorf("%q is not a whole number of 1 or more", s)
	}
	*v.to = n
	return nil
}

func (v number) String() string { return strconv.Itoa(*v.to) }

// count is a limit; 0 means no limit.
type count struct{ to *int }

func (v count) set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return fmt.Errorf("%q is not a whole number of 0 or more", s)
	}
	*v.to = n
	return nil
}

func (v count) String() string { return strconv.Itoa(*v.to) }

// networks is a list of addresses and networks.
type networks struct{ to *[]netip.Prefix }

func (v networks) set(s string) error {
	var prefixes []netip.Prefix
	for _, item := range splitList(s) {
		prefix, err := parseNetwork(item)
		if err != nil {
			return fmt.Errorf("%q is neither an address nor a network; write it as 10.1.2.3 or 10.0.0.0/8", item)
		}
		prefixes = append(prefixes, prefix)
	}
	*v.to = prefixes
	return nil
}

// parseNetwork reads an address or a network. It returns IPv4 in IPv6 form as IPv4.
func parseNetwork(item string) (netip.Prefix, error) {
	if !strings.Contains(item, "/") { // a zone could hold one
		address, err := netip.ParseAddr(item)
		if err != nil {
			return netip.Prefix{}, err
		}
		address = address.Unmap().WithZone("")
		return address.Prefix(address.BitLen())
	}
	prefix, err := netip.ParsePrefix(item)
	if prefix.Addr().Is4In6() {
		prefix, err = prefix.Addr().Unmap().Prefix(prefix.Bits() - 96) // an error below /96
	}
	return prefix.Masked(), err
}

func (v networks) String() string {
	items := make([]string, len(*v.to))
	for i, prefix := range *v.to {
		items[i] = prefix.String()
	}
	return strings.Join(items, ",")
}

// places is a list of places of a token.
type places struct{ to *[]realtime.TokenSource }

func (v places) set(s string) error {
	var sources []realtime.TokenSource
	known := []string{string(realtime.TokenInQuery), string(realtime.TokenInHeader), string(realtime.TokenInSubprotocol)}
	for _, item := range splitList(s) {
		source := realtime.TokenSource(item)
		switch {
		case !slices.Contains(known, item):
			return fmt.Errorf("%q is not a place of a token; use %s", item, alternatives(known))
		case slices.Contains(sources, source):
			return fmt.Errorf("%q is given twice", item)
		}
		sources = append(sources, source)
	}
	*v.to = sources
	return nil
}

func (v places) String() string {
	items := make([]string, len(*v.to))
	for i, source := range *v.to {
		items[i] = string(source)
	}
	return strings.Join(items, ",")
}

// policies is a list of topic=policy.
type policies struct{ to *[]realtime.TopicRule }

var policyNames = []string{realtime.Disconnect: "disconnect", realtime.DropOldest: "drop-oldest", realtime.LatestOnly: "latest-only"}

func (v policies) set(s string) error {
	var rules []realtime.TopicRule
	for _, item := range splitList(s) {
		at := strings.LastIndexByte(item, '=')
		policy := slices.Index(policyNames, strings.TrimSpace(item[at+1:]))
		if at < 0 || policy < 0 {
			return fmt.Errorf("%q is not a rule; write it as topic=policy with the policy %s", item, alternatives(policyNames))
		}
		rule := realtime.TopicRule{Match: strings.TrimSpace(item[:at]), Slow: realtime.SlowPolicy(policy)}
		if err := rule.Check(); err != nil {
			return err
		}
		rules = append(rules, rule)
	}
	*v.to = rules
	return nil
}

func (v policies) String() string {
	items := make([]string, len(*v.to))
	for i, rule := range *v.to {
		items[i] = rule.Match + "=" + policyNames[rule.Slow]
	}
	return strings.Join(items, ",")
}

type rate struct{ to *float64 }

func (v rate) set(s string) error {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0 && n <= math.MaxInt32) {
		return fmt.Errorf("%q is not a number of 0 or more", s)
	}
	*v.to = n
	return nil
}

func (v rate) String() string { return strconv.FormatFloat(*v.to, 'f', -1, 64) }

// size is a number of bytes. Decimal units are refused, since KB may mean 1000 or 1024.
type size struct{ to *int }

var units = []struct {
	name   string
	factor int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func (v size) set(s string) error {
	digits, factor := s, int64(1)
	for _, unit := range units {
		if rest, found := strings.CutSuffix(s, unit.name); found {
			digits, factor = strings.TrimSpace(rest), unit.factor
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a size; write it as 64KiB, 1MiB or 65536", s)
	case n < 1 || n > math.MaxInt32/factor:
		return fmt.Errorf("%q is out of range; use 1B to 2047MiB", s)
	}
	*v.to = int(n * factor)
	return nil
}

func (v size) String() string {
	n := int64(*v.to)
	for _, unit := range units {
		if n%unit.factor == 0 && n > 0 {
			return strconv.FormatInt(n/unit.factor, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// sizeWithin is a size between least and most.
type sizeWithin struct {
	size
	least, most int
}

func (v sizeWithin) set(s string) error {
	var n int
	if err := (size{&n}).set(s); err != nil {
		return err
	}
	if n < v.least || n > v.most {
		return fmt.Errorf("%q is out of range; use %v to %v", s, size{&v.least}, size{&v.most})
	}
	*v.to = n
	return nil
}

type address struct {
	to    *string
	orOff bool
}

var errAddress = errors.New("write it as host:port, such as 127.0.0.1:8080, or :8080 for all interfaces")

func (v address) set(s string) error {
	if !v.orOff || s != Off {
		_, port, err := net.SplitHostPort(s)
		if err != nil {
			return fmt.Errorf("%q is not an address: %w", s, errAddress)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("%q has no port from 0 to 65535: %w", s, errAddress)
		}
	}
	*v.to = s
	return nil
}

func (v address) String() string { return *v.to }
