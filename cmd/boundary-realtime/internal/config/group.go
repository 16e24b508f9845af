package config

import (
	"fmt"
	"strings"
)

// groups divide the table of settings for the help. A group ends where the next
// one begins.
var groups = []struct {
	first string // setting
	title string
}{
	{"listen", "Listeners"},
	{"jwt_hmac_secret", "Tokens"},
	{"api_key", "Access"},
	{"header_size", "Limits"},
	{"ping_interval", "Times"},
	{"log_level", "Log"},
}

// groupTitles returns the title of each setting's group, in the order of the
// table.
func groupTitles() []string {
	titles, next := make([]string, len(settings)), 0
	for i, s := range settings {
		if next < len(groups) && s.name == groups[next].first {
			next++
		}
		titles[i] = groups[next-1].title
	}
	return titles
}

// HelpOnSecrets says how settings are given, and which of them have no flag.
func HelpOnSecrets() string {
	var b strings.Builder
	b.WriteString("A setting is a flag, a variable of the environment, or a key of the YAML file that --config names; " +
		"the first of these three in which it is set wins. Secrets have no flag, because every user of a machine can read " +
		"the arguments of its processes. Give them in the environment, or as files:\n\n")
	for _, s := range settings {
		if s.secret() {
			fmt.Fprintf(&b, "  %s\n      %s\n", s.env(), s.help)
		}
	}
	return b.String()
}
