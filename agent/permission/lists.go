package permission

import (
	"path/filepath"
	"strings"
	"unicode"
)

// protectedParts decide what runs later, here or elsewhere: git's own files, ours, those of editors, other agents, CI
// and shells. Whatever lies below a folder of such a name is meant too. Names are lower case; a * stands for any
// beginning or any end.
var protectedParts = []string{
	".git", ".gitmodules", ".gitattributes", ".gitconfig",
	".coder", ".mcp.json", "agents.md", "claude.md", "gemini.md", ".cursorrules",
	".claude", ".cursor", ".codex", ".gemini", ".vscode", ".idea", ".devcontainer", ".devcontainer.json", ".zed",
	".envrc", ".env*", ".npmrc", ".yarnrc*", ".pypirc",
	".husky", ".gitlab-ci.yml", ".pre-commit-config.yaml",
	".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".inputrc",
	".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login", ".xprofile",
	".ssh", "crontab", "crontabs", "cron.d", "cron.hourly", "cron.daily", "cron.weekly", "cron.monthly",
}

// protectedPairs are protected as a folder with what is in it.
var protectedPairs = [][2]string{
	{".github", "workflows"},
	{".github", "actions"},
	{".github", "copilot-instructions.md"},
	{".config", "git"},
	{".config", "coder"},
	{".config", "systemd"},
	{".config", "autostart"},
	{".config", "fish"},
}

// secretParts hold what opens other doors, as files or as folders of such files.
var secretParts = []string{
	".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
	".netrc", "_netrc", "credentials", "credentials.json", ".git-credentials", ".pgpass", ".htpasswd",
	".aws", ".kube", ".ssh", ".gnupg", ".password-store",
}

var secretPairs = [][2]string{
	{".docker", "config.json"}, {".config", "gh"}, {".config", "gcloud"}, {".azure", "accesstokens.json"},
}

// Protected reports whether a path decides what runs later, so that changing it needs a person in every mode.
func Protected(path string) bool { return listed(path, protectedParts, protectedPairs) }

// Secret reports whether a path is likely to hold a secret, so that reading it is asked for even inside the workdir.
func Secret(path string) bool {
	return listed(path, secretParts, secretPairs) || privateKey(parts(path))
}

// protected and secret look at a spot as it is written and as it is: a link of a harmless name hides neither.
func (s spot) protected() bool { return Protected(s.clean) || Protected(s.real) }
func (s spot) secret() bool    { return Secret(s.clean) || Secret(s.real) }

// privateKey knows the names that ssh-keygen gives, and no source file: id_rsa and id_work, not id_map.go.
func privateKey(parts []string) bool {
	for _, part := range parts {
		rest, ok := strings.CutPrefix(part, "id_")
		if !ok || strings.HasSuffix(rest, ".pub") {
			continue
		}
		kind, _, _ := strings.Cut(rest, ".")
		switch kind {
		case "rsa", "dsa", "ecdsa", "ed25519", "ecdsa_sk", "ed25519_sk", "xmss":
			return true
		}
		if !strings.Contains(rest, ".") {
			return true
		}
	}
	return false
}

func listed(name string, single []string, pairs [][2]string) bool {
	parts := parts(name)
	for i, part := range parts {
		for _, pattern := range single {
			if fits(pattern, part) {
				return true
			}
		}
		for _, pair := range pairs {
			if part == pair[0] && i+1 < len(parts) && parts[i+1] == pair[1] {
				return true
			}
		}
	}
	return false
}

// fits matches a name with an entry of the lists. A search asks for every file of a tree: path.Match would take a third of its
// time.
func fits(pattern, part string) bool {
	if end, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(part, end)
	}
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(part, begin)
	}
	return part == pattern
}

// parts splits a path into its names as the most forgiving file system reads them: without case, invisible characters,
// dots and blanks at the end, streams (NTFS), and with the short name that Windows gives .git.
func parts(name string) []string {
	split := strings.Split(filepath.ToSlash(name), "/")
	for i, part := range split {
		part, _, _ = strings.Cut(part, ":")
		part = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) {
				return -1
			}
			return unicode.ToLower(r)
		}, part)
		part = strings.TrimRight(part, ". ")
		if strings.HasPrefix(part, "git~") {
			part = ".git"
		}
		split[i] = part
	}
	return split
}
