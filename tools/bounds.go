package tools

import (
	"regexp"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/tools/sandbox"
)

// bounds are those of one command: the box, and what of it was opened.
type bounds struct {
	box   *sandbox.Box
	reach permission.Reach
}

// hold reports whether there are any.
func (b bounds) hold() bool { return b.box.Level() > sandbox.LevelNone && !b.reach.Unsandboxed }

// String names the bounds in words for people.
func (b bounds) String() string {
	switch {
	case !b.hold():
		return "none"
	case b.reach.Network:
		return b.box.Name() + "; the network is open"
	}
	return b.box.Name()
}

var (
	noNetwork = regexp.MustCompile(`(?i)could not resolve|temporary failure in name resolution|name or service not known|EAI_AGAIN|getaddrinfo|no such host|` +
		`network is unreachable|connection refused|ECONNREFUSED|ENETUNREACH|no route to host|failed to establish a new connection|dial tcp|dial udp|socket: operation not permitted`)

	noDaemon = regexp.MustCompile(`(?i)docker daemon|docker\.sock|podman\.sock|can't connect to (the )?(gpg-)?agent|ssh-agent|authentication agent|no such file or directory: .*\.sock\b|` +
		`permission denied \(publickey|host key verification failed|could not open a connection to your|d-?bus`)

	noAccess = regexp.MustCompile(`(?i)read-only file system|EROFS|operation not permitted|\bEPERM\b|permission denied|\bEACCES\b|device or resource busy|\bEBUSY\b|invalid cross-device link|\bEXDEV\b`)
)

// explain says in one line what of a failure is probably the sandbox's doing, and how to ask for more. It is "" if nothing
// speaks for that.
func (b bounds) explain(x sandbox.Excerpt, done sandbox.Outcome) string {
	if !b.hold() || done.Code == 0 || done.TimedOut {
		return ""
	}
	text := x.Head + x.Tail
	switch {
	case noDaemon.MatchString(text):
		return "(the sandbox hides keys and the sockets of daemons, such as docker and ssh-agent; a command that needs them: unsandboxed: true, which asks the user)"
	case !b.reach.Network && noNetwork.MatchString(text):
		return "(the sandbox has no network, and a loopback of its own; a command that needs the machine's: network: true)"
	case noAccess.MatchString(text):
		return "(in the sandbox only the workdir, $TMPDIR and /tmp can be written, but not files that decide what runs later, such as .git/config; a command that needs more: unsandboxed: true, which asks the user)"
	}
	return ""
}
