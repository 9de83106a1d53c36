package agent

import (
	"errors"
	"io/fs"

	"github.com/coder-agent/coder/agent/store"
)

// ErrReadOnly refuses what a read-only connection may not do. Its text is the Agents SDK's.
var ErrReadOnly error = refusal("Connection is readonly")

// A refusal says to a client why what it asked for was not done.
type refusal string

func (r refusal) Error() string { return string(r) }

// forClient gives an error as a client may read it: what failed on the way to the disk names files and parts of the
// program, which are for the host's log. A folder that a client itself has named is no secret to it.
func (a *CoderAgent) forClient(method string, err error) error {
	var workdir *WorkdirError
	var full *store.FullError
	var file *fs.PathError
	told := err
	switch {
	case errors.As(err, &workdir):
	case errors.As(err, &full):
		told = refusal("there is no room left on the host's disk")
	case store.Failed(err), errors.As(err, &file):
		told = refusal("the host could not do it; its log says why")
	}
	if told != err { //nolint:errorlint // the very value
		a.host.opts.Logger.Error("answering a call", "session", a.key, "method", method, "err", err)
	}
	return told
}
