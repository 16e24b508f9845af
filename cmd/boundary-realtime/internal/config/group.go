package config

import (
	"fmt"
	"strings"
)

// groups divide the table of settings for the help. A group ends at the next one.
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

// HelpOnSecrets returns the help on the sources of settings and on secrets.
func HelpOnSecrets() string {
	var b strings.Builder
	b.WriteString("Set a setting by a flag, by an environment variable, or by a key of the YAML file that --config names; " +
		"if it is set in several places, the first of these wins. Secrets have no flag, because every user of a machine can read " +
		"the arguments of its processes. Set them in the environment, or as files:\n\n")
	for _, s := range settings {
		if s.secret() {
			fmt.Fprintf(&b, "  %s\n      %s\n", s.env(), s.help)
		}
	}
	return b.String()
}
