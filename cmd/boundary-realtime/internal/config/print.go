package config

import (
	"fmt"
	"io"
	"strconv"
)

// Print writes the effective settings as YAML, each with its source. Secrets are redacted.
func (c *Config) Print(w io.Writer) error {
	for _, s := range settings {
		origin := c.origins[s.name]
		if origin == "" {
			origin = "default"
		}
		if err := printLine(w, s.name, s.field(c).String(), origin); err != nil {
			return err
		}
	}
	return nil
}

func printLine(w io.Writer, name, text, comment string) error {
	_, err := fmt.Fprintf(w, "%-40s # %s\n", name+": "+strconv.Quote(text), comment)
	if err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	return nil
}

// PrintReference writes all settings as a YAML file in which they are commented out.
func PrintReference(w io.Writer) error {
	for _, s := range settings {
		flag := "--" + s.flag()
		if s.secret() {
			flag = "no flag"
		}
		_, err := fmt.Fprintf(w, "# %s (%s, %s)\n#%s: %s\n\n", s.help, s.env(), flag, s.name, s.preset)
		if err != nil {
			return fmt.Errorf("print the reference: %w", err)
		}
	}
	return nil
}
