package main

import (
	"net/url"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent/secret"
)

// secretNames are patterns of the names of variables whose values are secrets, as path.Match takes them.
var secretNames = []string{
	"*TOKEN", "*_KEY", "*APIKEY", "*SECRET", "*PASSWORD", "*PASSWD", "*PASSPHRASE", "*_PASS", "*_PAT", "*_DSN", "*_CREDENTIALS",
}

// A variable is one of the environment.
type variable struct{ name, value string }

// secretVariables are those of environ that hold secrets: by their names, or by a password in a URL.
func secretVariables(environ []string) (found []variable) {
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if value != "" && (matches(name, secretNames) || holdsPassword(value)) {
			found = append(found, variable{name, value})
		}
	}
	return found
}

// learnSecrets makes the set know what commands must not print: the values of secret variables that they do not get. What
// the user passes on to them they may print.
func learnSecrets(set *secret.Set, environ, listed []string) {
	given := commandEnviron(environ, listed)
	for _, v := range secretVariables(environ) {
		if !slices.Contains(given, v.name+"="+v.value) && !everyday(v.value) {
			set.Add(v.name, v.value)
			for _, password := range passwords(v.value) {
				set.Add(v.name, password)
			}
		}
	}
}

// withoutSecrets is environ for a program of the user's own that needs the rest of it.
func withoutSecrets(environ []string) []string {
	secrets := secretVariables(environ)
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		return slices.ContainsFunc(secrets, func(v variable) bool { return v.name+"="+v.value == kv })
	})
}

// everyday reports whether a value is a word that texts are full of, such as the postgres of a POSTGRES_PASSWORD: taking
// it out of them would hide much and protect nothing.
func everyday(value string) bool {
	return len(value) < 16 && strings.Trim(strings.ToLower(value), "abcdefghijklmnopqrstuvwxyz") == ""
}

// passwords are those in the URLs that a value holds, separated by commas.
func passwords(value string) (found []string) {
	if !strings.Contains(value, "://") {
		return nil
	}
	for part := range strings.SplitSeq(value, ",") {
		if u, err := url.Parse(part); err == nil {
			if p, ok := u.User.Password(); ok && !everyday(p) {
				found = append(found, p)
			}
		}
	}
	return found
}
