package config

import (
	"fmt"
	"strings"
)

// Sources are the sources of settings; the first in which a setting is set wins.
type Sources struct {
	Flags   map[string]string // from Flags.Values
	Environ []string          // from os.Environ
	File    string            // path of a YAML file; empty means the one of REALTIME_CONFIG, or none
}

// Problems are all mistakes in a configuration. Each names the setting as the user wrote
// it, and the allowed values.
type Problems []string

// Error returns the problems, one per line.
func (p Problems) Error() string {
	if len(p) == 1 {
		return "configuration: " + p[0]
	}
	return fmt.Sprintf("the configuration has %d problems:\n  %s", len(p), strings.Join(p, "\n  "))
}

func (p *Problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// err returns nil if there are no problems.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// entry is the value of a setting in one source.
type entry struct {
	setting setting
	label   string // the name of the setting in that source
	text    string
	place   string // in the file, as "realtime.yaml:3: "; empty in other sources
}

// Load reads the settings from all sources. It reads the YAML file, but not the files that
// settings name, and does not check the settings against each other; Config.Check does.
// The error is Problems.
func Load(from Sources) (*Config, error) {
	var problems Problems
	environment, path := readEnviron(from.Environ, &problems)
	if from.File != "" {
		path = from.File
	}
	c := &Config{origins: map[string]string{}}
	c.apply("default", presets(), &problems)
	if path != "" {
		data, err := readLimited(path, maxFile)
		c.file, c.loaded = path, digestOf(data, err)
		c.apply(path, readEntries(path, data, err, &problems), &problems)
	}
	c.apply("environment", environment, &problems)
	c.apply("flag", flagEntries(from.Flags), &problems)
	if c.Dev && c.origins["drain_delay"] == "default" {
		c.Times.DrainDelay, c.origins["drain_delay"] = 0, "default in dev mode"
	}
	return c, problems.err()
}

func presets() (entries []entry) {
	for _, s := range settings {
		if s.preset != "" {
			entries = append(entries, entry{setting: s, label: s.name, text: s.preset})
		}
	}
	return entries
}

func flagEntries(flags map[string]string) (entries []entry) {
	for _, s := range settings {
		if text, given := flags[s.name]; given {
			entries = append(entries, entry{setting: s, label: "--" + s.flag(), text: text})
		}
	}
	return entries
}

func (c *Config) apply(origin string, entries []entry, problems *Problems) {
	if c.places == nil {
		c.places = map[string]string{}
	}
	for _, e := range entries {
		if err := e.setting.field(c).set(e.text); err != nil {
			problems.add("%s: %v", e.label, err)
			continue
		}
		c.origins[e.setting.name], c.places[e.setting.name] = origin, e.place
	}
	c.displaceRivals(entries)
}

// displaceRivals removes the file of a secret if a stronger source has the secret, and the
// reverse. If one source has both, both stay, and Check reports them.
func (c *Config) displaceRivals(entries []entry) {
	given := map[string]bool{}
	for _, e := range entries {
		given[e.setting.name] = e.text != ""
	}
	for _, s := range settings {
		rival, known := findSetting(s.name + "_file")
		if !known {
			continue
		}
		if given[s.name] && !given[rival.name] {
			c.unset(rival)
		}
		if given[rival.name] && !given[s.name] {
			c.unset(s)
		}
	}
}

// unset clears a setting that has no default.
func (c *Config) unset(s setting) {
	_ = s.field(c).set("") // any text is allowed
	delete(c.origins, s.name)
	delete(c.places, s.name)
}
