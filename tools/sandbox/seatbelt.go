package sandbox

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const seatbeltProgram = "/usr/bin/sandbox-exec"

// seatbeltArgs is the command line that runs the policy's command under Seatbelt, by absolute path. Paths are parameters of
// the profile, not text in it: none can end a string.
func seatbeltArgs(p policy) []string {
	profile, params := seatbelt(p)
	args := []string{seatbeltProgram, "-p", profile}
	for i, path := range params {
		args = append(args, "-D", param(i)+"="+path)
	}
	return append(append(args, "--"), p.Argv...)
}

func param(i int) string { return "P" + strconv.Itoa(i) }

// seatbelt writes the profile for a policy. Of rules that fit, the last one counts.
func seatbelt(p policy) (profile string, params []string) {
	var b strings.Builder
	rule := func(what, filter string, paths ...string) {
		for _, path := range paths {
			b.WriteString("(" + what + " (" + filter + ` (param "` + param(len(params)) + "\")))\n")
			params = append(params, path)
		}
	}
	b.WriteString(seatbeltBase)
	rule("deny file-read*", "subpath", p.Hidden...)
	rule("deny file-write*", "subpath", p.Hidden...)
	rule("allow file-read*", "subpath", p.Shown...)
	rule("allow file-read*", "subpath", p.Writable...)
	rule("allow file-write*", "subpath", p.Writable...)
	for _, path := range p.Hidden { // those that are in a writable folder
		if slices.ContainsFunc(p.Writable, func(w string) bool { return w != path && within(w, path) }) {
			rule("deny file-read*", "subpath", path)
			rule("deny file-write*", "subpath", path)
		}
	}
	rule("deny file-write*", "subpath", p.Protected...)
	// What cannot be unlinked cannot be renamed: neither what is protected nor a folder above it.
	rule("deny file-write-unlink", "literal", p.Protected...)
	rule("deny file-write-unlink", "literal", p.Pinned...)
	rule("deny file-write-unlink", "literal", ancestors(p)...)
	if p.Network {
		b.WriteString(seatbeltNetwork)
	}
	return b.String(), params
}

// ancestors are the writable folders themselves and all above them.
func ancestors(p policy) (list []string) {
	for _, path := range p.Writable {
		for ; !slices.Contains(list, path); path = filepath.Dir(path) {
			list = append(list, path)
			if path == filepath.Dir(path) {
				break
			}
		}
	}
	return list
}

// seatbeltBase allows reading, processes of its own and the harmless devices. Loopback is the machine's here: it stays
// closed with the rest of the network.
const seatbeltBase = `(version 1)
(deny default)
(import "system.sb")
(allow process-exec)
(allow process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(allow pseudo-tty)
(allow file-read*)
(allow file-ioctl (literal "/dev/null") (literal "/dev/zero") (literal "/dev/tty") (regex #"^/dev/ttys[0-9]+$"))
(allow file-write* (literal "/dev/null") (literal "/dev/zero") (literal "/dev/tty") (literal "/dev/dtracehelper") (literal "/dev/ptmx") (regex #"^/dev/ttys[0-9]+$"))
(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo") (global-name "com.apple.system.logger") (global-name "com.apple.system.notification_center"))
(deny network*)
`

// seatbeltNetwork opens what talks to other machines; sockets of daemons on this one stay closed, but for the resolver.
const seatbeltNetwork = `(allow network-outbound (remote ip "*:*"))
(allow network-inbound (local ip "*:*"))
(allow network-bind (local ip "*:*"))
(allow network-outbound (literal "/private/var/run/mDNSResponder"))
(allow system-socket)
(allow mach-lookup (global-name "com.apple.SystemConfiguration.configd") (global-name "com.apple.trustd") (global-name "com.apple.trustd.agent") (global-name "com.apple.dnssd.service"))
`
