package tools

import (
	"runtime"
	"slices"
	"testing"
)

func TestACommandFindsNoProgramOfTheRepository(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skipf("the paths are those of Unix, not of %s", runtime.GOOS)
	}
	env := commandEnv([]string{"PATH=:.:bin:/usr/bin:../x:/bin:", "HOME=/h"})
	if !slices.Contains(env, "PATH=/usr/bin:/bin") {
		t.Errorf("the environment is %q", env)
	}
}
