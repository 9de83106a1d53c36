//go:build linux && !amd64 && !arm64

package sandbox

import (
	"errors"
	"runtime"
)

func (p policy) seccomp() error {
	return errors.New("there is no filter for this processor: " + runtime.GOARCH)
}
