package main

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// passed are the variables that an agent's commands may see, as path.Match patterns: what names the user, the place,
// the language and the toolchains. Secrets have no business there.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "COLORTERM", "NO_COLOR",
	"TMPDIR", "XDG_*_HOME", "XDG_RUNTIME_DIR",
	"GOPATH", "GOROOT", "GOBIN", "GOFLAGS", "GOCACHE", "GOMODCACHE", "GOTOOLCHAIN", "GOPROXY", "GONOPROXY", "GONOSUMDB",
	"GOPRIVATE", "GOSUMDB", "GOINSECURE", "GOEXPERIMENT", "GOOS", "GOARCH", "GOMAXPROCS", "GOTMPDIR", "CGO_*", "CC", "CXX",
	"PKG_CONFIG_PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYENV_*", "NVM_*", "VOLTA_HOME", "PNPM_HOME",
	"BUN_INSTALL", "DENO_DIR", "NODE_ENV", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "JAVA_HOME", "MAVEN_OPTS",
	"GRADLE_USER_HOME", "SDKMAN_DIR", "GEM_HOME", "GEM_PATH", "RBENV_*", "DOTNET_ROOT", "ANDROID_HOME",
	// Windows cannot start a program without these.
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "USERNAME", "HOMEDRIVE", "HOMEPATH",
	"APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES*", "TEMP", "TMP", "NUMBER_OF_PROCESSORS",
	"PROCESSOR_ARCHITECTURE",
}

// refused never pass, whoever lists them: they carry secrets or make programs run code.
var refused = []string{
	"LD_*", "DYLD_*", "BASH_ENV", "ENV", "PROMPT_COMMAND", "IFS", "GIT_*", "NODE_OPTIONS", "PYTHONSTARTUP",
	"SSH_AUTH_SOCK", "*_TOKEN", "*_KEY", "*_SECRET",
}

// hosted are the variables that a detached host needs on top: to find its config and to reach the provider. Its
// commands do not see them.
var hosted = []string{
	"CODER_*", "OPENROUTER_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GODEBUG",
}

// commandEnviron is the part of environ that an agent's commands may see.
func commandEnviron(environ, listed []string) []string {
	return slices.DeleteFunc(filterEnviron(environ, slices.Concat(passed, listed)), func(variable string) bool {
		_, value, _ := strings.Cut(variable, "=")
		return holdsPassword(value)
	})
}

// hostEnviron is the part of environ that a detached host gets. The key is not in it: it comes on a pipe.
func hostEnviron(environ, listed []string) []string {
	return filterEnviron(environ, slices.Concat(passed, hosted, listed))
}

func filterEnviron(environ, allowed []string) []string {
	kept := make([]string, 0, len(environ))
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if matches(name, allowed) && !matches(name, refused) {
			kept = append(kept, variable)
		}
	}
	return kept
}

// matches ignores case, as Windows does, and as http_proxy is spelled by some.
func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(strings.ToUpper(pattern), strings.ToUpper(name))
		return ok && err == nil
	})
}

// holdsPassword reports whether the value is a URL with a password, as a private GOPROXY may be.
func holdsPassword(value string) bool {
	if !strings.Contains(value, "://") || !strings.Contains(value, "@") {
		return false
	}
	return slices.ContainsFunc(strings.Split(value, ","), func(part string) bool {
		u, err := url.Parse(part)
		if err != nil {
			return true
		}
		_, ok := u.User.Password()
		return ok
	})
}
