package config

import (
	"crypto/sha256"
	"slices"
	"strings"
)

// Digests are the digests of files, by the settings that name them. For a file that
// cannot be read it is the digest of the error.
type Digests map[string]digest

type digest [sha256.Size]byte

// settingsFile is the key of the configuration file in Digests.
const settingsFile = "config"

// fileSettings are the settings that name a file.
var fileSettings = []struct {
	name string
	path func(*Config) string
}{
	{settingsFile, func(c *Config) string { return c.file }},
	{"tls_cert_file", func(c *Config) string { return c.Listener.TLSCertFile }},
	{"tls_key_file", func(c *Config) string { return c.Listener.TLSKeyFile }},
	{"jwt_hmac_secret_file", func(c *Config) string { return c.JWT.HMACSecretFile }},
	{"jwt_public_key_file", func(c *Config) string { return c.JWT.PublicKeyFile }},
	{"api_key_file", func(c *Config) string { return c.Access.APIKeyFile }},
}

// Digests reads the configuration file and the files that settings name.
func (c *Config) Digests() Digests {
	digests := Digests{}
	for _, f := range fileSettings {
		if path := f.path(c); path != "" {
			digests[f.name] = digestOf(readLimited(path, maxFile))
		}
	}
	return digests
}

// DigestsLoaded is Digests with the configuration file as Load read it.
func (c *Config) DigestsLoaded() Digests {
	digests := c.Digests()
	if c.file != "" {
		digests[settingsFile] = c.loaded
	}
	return digests
}

func digestOf(data []byte, err error) digest {
	if err != nil {
		return sha256.Sum256([]byte("error: " + err.Error()))
	}
	return sha256.Sum256(data)
}

// Changes returns the settings whose files differ from old, in the form of Diff. It
// omits the configuration file itself, and settings that are in changes already because
// they name another file.
func (d Digests) Changes(old Digests, changes []string) (more []string) {
	for _, f := range fileSettings[1:] {
		before, had := old[f.name]
		after, has := d[f.name]
		named := slices.ContainsFunc(changes, func(c string) bool { return strings.HasPrefix(c, f.name+": ") })
		if had && has && before != after && !named {
			more = append(more, f.name+": the file changed")
		}
	}
	return more
}
