// Package config owns the settings of the program: their names, defaults, allowed values
// and sources.
//
// The table settings is the source of everything: the setting ping_interval is the key
// ping_interval of the YAML file, the variable REALTIME_PING_INTERVAL and the flag
// --ping-interval. A flag wins over the environment, and the environment over the file. A
// secret also replaces the name of its file from a weaker source, and the reverse. A
// secret has no flag, since arguments are visible to every user of the machine.
//
// The package starts nothing and logs nothing, and its errors never quote a secret. A
// Config does not change after Load has returned it, so it is safe for concurrent use.
package config
