package sandbox

import (
	"strings"
	"testing"
)

func TestTheSeatbeltProfile(t *testing.T) {
	p := policy{
		Argv: []string{"/bin/bash", "-c", "true"}, Writable: []string{"/Users/x/w", `/private/tmp/a")(allow default)`}, Hidden: []string{"/Users/x/.ssh", "/Users/x/w/.secret"},
		Shown: []string{"/Users/x/data/s"}, Protected: []string{"/Users/x/w/.git/hooks"}, Pinned: []string{"/Users/x/w/.git"},
	}
	profile, params := seatbelt(p)
	line := func(what, filter, path string) int {
		for i, v := range params {
			if at := strings.LastIndex(profile, "("+what+" ("+filter+` (param "`+param(i)+`")))`); v == path && at >= 0 {
				return at
			}
		}
		t.Errorf("no rule %s (%s %s) in\n%s", what, filter, path, profile)
		return -1
	}
	if strings.Contains(profile, "/Users") || strings.Contains(profile, "allow default") {
		t.Errorf("a path is text of the profile:\n%s", profile)
	}
	if !strings.HasPrefix(profile, "(version 1)\n(deny default)\n") || strings.Contains(profile, "allow network") {
		t.Errorf("the profile begins with\n%.200s", profile)
	}
	// Of rules that fit, the last one counts.
	write, hooks := line("allow file-write*", "subpath", "/Users/x/w"), line("deny file-write*", "subpath", "/Users/x/w/.git/hooks")
	if write > hooks {
		t.Error("the hooks can be written")
	}
	if line("deny file-read*", "subpath", "/Users/x/w/.secret") == -1 || strings.LastIndex(profile, "(allow file-read*") > strings.LastIndex(profile, "(deny file-read*") {
		t.Error("a secret in the workdir can be read")
	}
	for _, path := range []string{"/Users/x/w/.git/hooks", "/Users/x/w/.git", "/Users/x/w", "/Users/x", "/Users", "/"} {
		if line("deny file-write-unlink", "literal", path) < write {
			t.Errorf("%s can be moved", path)
		}
	}
	if p.Network = true; !strings.Contains(first(seatbelt(p)), "allow network-outbound (remote ip") {
		t.Error("the network does not open")
	}
	args := seatbeltArgs(p)
	if args[0] != "/usr/bin/sandbox-exec" || strings.Join(args[len(args)-4:], " ") != "-- /bin/bash -c true" {
		t.Errorf("the command line is %q", args)
	}
}

func first(profile string, _ []string) string { return profile }
