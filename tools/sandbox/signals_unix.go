//go:build unix

package sandbox

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// heed sees to it that commands can be signalled. Who starts us with nohup, or with & in a script, has us ignore a hang-up or
// an interrupt; a command would inherit that, and a shell cannot even trap what it was started to ignore. A signal that we
// catch is the default again in what we start, and as nobody reads ours we go on ignoring it. The runtime catches all others.
var heed = sync.OnceFunc(func() {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
})
