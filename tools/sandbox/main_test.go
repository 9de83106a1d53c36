package sandbox

import (
	"os"
	"testing"
)

// TestMain lets the test binary be the helper.
func TestMain(m *testing.M) {
	Dispatch()
	os.Exit(m.Run())
}
