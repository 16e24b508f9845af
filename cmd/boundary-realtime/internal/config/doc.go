// Package config owns the settings of the program: their names, their defaults,
// what is allowed, and where a value came from.
//
// One table, settings, is the source of all of it: the setting ping_interval is
// the key ping_interval of the YAML file, the variable REALTIME_PING_INTERVAL
// and the flag --ping-interval. A flag is stronger than the environment, the
// environment is stronger than the file, and a secret replaces a weaker source's
// file for it, and the reverse. A secret has no flag, since arguments
// are visible to every user of the machine.
//
// The package starts nothing and logs nothing, and no error of it quotes a
// secret. A Config is not changed once Load has returned it, so it is safe for
// concurrent use.
package config
