package config

import (
	"errors"
	"fmt"
	"strings"
)

const maxSecretFile = 64 << 10 // bytes

// HMACSecret returns the secret that verifies tokens, from its setting or its file. It is
// empty if neither is set.
func (c *Config) HMACSecret() (Secret, error) {
	return oneSecret("jwt_hmac_secret", c.JWT.HMACSecret, c.JWT.HMACSecretFile)
}

// APIKeys returns the keys of the HTTP API, from their setting or their file. There are
// none if neither is set. Empty keys are omitted.
func (c *Config) APIKeys() ([]Secret, error) {
	if len(c.Access.APIKeys) > 0 && c.Access.APIKeyFile == "" {
		return c.Access.APIKeys, nil
	}
	given := Secret("")
	if len(c.Access.APIKeys) > 0 {
		given = c.Access.APIKeys[0]
	}
	keys, err := oneSecret("api_key", given, c.Access.APIKeyFile)
	return splitKeys(strings.ReplaceAll(string(keys), "\n", ",")), err
}

// PublicKey returns the content of the public key file, nil if none is set.
func (c *Config) PublicKey() ([]byte, error) {
	if c.JWT.PublicKeyFile == "" {
		return nil, nil
	}
	data, err := readLimited(c.JWT.PublicKeyFile, maxSecretFile)
	if err != nil {
		return nil, &fileError{"jwt_public_key_file", c.JWT.PublicKeyFile, err}
	}
	return data, nil
}

func oneSecret(name string, given Secret, file string) (Secret, error) {
	switch {
	case given != "" && file != "":
		return "", fmt.Errorf("%s and %s_file are both set in the same source; set one of them", name, name)
	case file == "":
		return given, nil
	}
	return ReadSecret(name+"_file", file)
}

// ReadSecret returns the content of the file that a setting or a flag names, without the
// line end that editors append. An error names the setting, and the path unless it may be
// the secret itself.
func ReadSecret(setting, path string) (Secret, error) {
	data, err := readLimited(path, maxSecretFile)
	if err != nil {
		return "", &fileError{setting, path, err}
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if secret == "" {
		return "", &fileError{setting, path, errors.New("the file is empty")}
	}
	return Secret(secret), nil
}
