//go:build !linux && !darwin

package sandbox

import (
	"context"
	"runtime"
)

func try(context.Context, Options, string) Report {
	return failedReport("there is no sandbox for " + runtime.GOOS)
}

func machine(Options) string { return "" }
