package sandbox

import (
	"context"
	"os"
)

// machine keeps nothing: the test is one run of a shell.
func machine(Options) string { return "" }

// try runs the script under Seatbelt.
func try(ctx context.Context, o Options, dir string) Report {
	r := Report{Level: LevelSeatbelt, Why: "macOS has no namespaces: loopback and the ids of processes are the machine's"}
	var err error
	if r.Checks, err = attempt(ctx, o, dir, LevelSeatbelt); err != nil {
		return failedReport(levelNames[LevelSeatbelt] + ": " + err.Error())
	}
	if !r.stands() {
		return failedReport(levelNames[LevelSeatbelt] + " does not hold")
	}
	return r
}

// probe runs the script in the box.
func (b *Box) probe(ctx context.Context, f fixture, addr string) ([]Check, error) {
	return b.script(ctx, f, addr, os.Getpid())
}
