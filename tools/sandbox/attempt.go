//go:build linux || darwin

package sandbox

import (
	"context"
	"net"
)

// attempt runs the probe in a box of the level, with a listener beside it that the probe should not reach.
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
	return New(o, Report{Level: level}).probe(ctx, f, l.Addr().String())
}
