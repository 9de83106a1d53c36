package sandbox

import (
	"context"
	"net"
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

func attempt(ctx context.Context, o Options, dir string, level int) ([]Check, error) {
	f, err := newFixture(o.Home, dir)
	defer f.remove()
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	o.Private, o.Cache = []string{f.private}, ""
	return New(o, Report{Level: level}).script(ctx, f, l.Addr().String(), os.Getpid())
}
