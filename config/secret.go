package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// namedSecret is a placeholder whose text says where a secret is and nothing of the secret.
var namedSecret = regexp.MustCompile(`\{(env|file)\.[^{}]+\}`)

// resolveSecret gives the value of a secret. No error repeats any of it: what looks like a placeholder may be a part of a
// key with braces in it.
func resolveSecret(repl *caddy.Replacer, secret string) (string, error) {
	value, err := repl.ReplaceOrErr(secret, true, true)
	if err != nil {
		if name := namedSecret.FindString(secret); name != "" {
			return "", fmt.Errorf("placeholder %s is empty: set the environment variable, or write the file, that it names", name)
		}
		return "", errors.New("it has a placeholder that is not known here: expected one such as {env.NAME} or {file./run/secrets/name}")
	}
	if strings.TrimSpace(value) == "" {
		return "", errEmptySecret
	}
	return value, nil
}
