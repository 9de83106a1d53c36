//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A figure is one line of the table. Limit, Coder and Bare count in Unit; 0 means that there is none.
type figure struct {
	what        string
	unit        string
	limit       float64 // at most this is on target
	times       float64 // in place of limit: at most this multiple of bare
	coder, bare float64
}

// target returns what coder's figure may be, and how the table says it.
func (f figure) target() (float64, string) {
	switch {
	case f.times != 0:
		return f.times * f.bare, fmt.Sprintf("≤ %g× bare", f.times)
	case f.limit != 0:
		return f.limit, fmt.Sprintf("≤ %g %s", f.limit, f.unit)
	}
	return 0, ""
}

func print(figures []figure) error {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d cores, load %s, %s\n\n", runtime.Version(), runtime.NumCPU(), strings.Fields(string(load))[0], time.Now().Format(time.DateOnly))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tTARGET\tCODER\tBARE\t")
	for _, f := range figures {
		limit, words := f.target()
		verdict := ""
		switch {
		case limit == 0:
		case f.coder <= limit:
			verdict = "ok"
		default:
			verdict = "OVER"
		}
		bare := ""
		if f.bare != 0 {
			bare = fmt.Sprintf("%.3g %s", f.bare, f.unit)
		}
		fmt.Fprintf(w, "%s\t%s\t%.3g %s\t%s\t%s\n", f.what, words, f.coder, f.unit, bare, verdict)
	}
	return w.Flush()
}

// median returns the middle of durations in milliseconds.
func median(durations []time.Duration) float64 {
	if len(durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(durations))
	return milliseconds(sorted[len(sorted)/2])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

const mib = 1 << 20
