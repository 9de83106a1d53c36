package sandbox

import (
	"os"
	"testing"
)

// TestMain lets the test binary be the helper, and what the helper starts.
func TestMain(m *testing.M) {
	Dispatch()
	if len(os.Args) > 1 && os.Args[1] == escapeName {
		os.Exit(getOut(os.Args[2]))
	}
	os.Exit(m.Run())
}
