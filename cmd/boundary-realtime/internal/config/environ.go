package config

import (
	"regexp"
	"slices"
	"strings"
)

// injected matches the variables that Kubernetes adds to every pod for a service called
// realtime or realtime-something. They are not mistakes of the user.
var injected = regexp.MustCompile(`^REALTIME_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)$`)

func ignored(name, text string) bool {
	return injected.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.Contains(text, "://")
}

// readEnviron returns the settings in the environment, and the path of the YAML file if
// there is one. An empty variable is not set: deployment tools write it that way.
func readEnviron(environ []string, problems *Problems) (entries []entry, file string) {
	for _, variable := range slices.Sorted(slices.Values(environ)) {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || text == "" {
			continue
		}
		s, known := findSetting(strings.ToLower(strings.TrimPrefix(name, envPrefix)))
		switch {
		case known && name == s.env():
			entries = append(entries, entry{setting: s, label: name, text: text})
		case name == EnvConfig:
			file = text
		case name == EnvAPIURL, name == EnvURL, name == EnvToken, ignored(name, text):
		default:
			problems.add("%s: unknown variable%s", name, suggestion(name, envNames()))
		}
	}
	return entries, file
}

func envNames() []string {
	names := []string{EnvConfig, EnvAPIURL, EnvURL, EnvToken}
	for _, s := range settings {
		names = append(names, s.env())
	}
	return names
}
