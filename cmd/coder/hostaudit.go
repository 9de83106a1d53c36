package main

import (
	"errors"
	"fmt"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/plain"
)

// openAudit opens the audit log of a data dir. Hosts and the commands that write to it open it alike.
func (a *app) openAudit(dataDir string) (*audit.Log, error) {
	log, err := audit.Open(dataDir, audit.Options{Redact: a.secrets.Redact})
	return log, unusable(err)
}

// audit writes one line for a command that needs no host, such as coder trust: beside a host that is no harm. What cannot be
// written down is said; a folder must be revoked, and a key forgotten, all the same.
func (a *app) audit(dataDir string, e audit.Entry) {
	log, err := a.openAudit(dataDir)
	if err == nil {
		err = errors.Join(log.Record(e), log.Close())
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "note: %s\n", plain.Text(err.Error()))
	}
}

// note writes to the audit log. What finds no room there is counted by the log itself.
func (h *host) note(e audit.Entry) {
	if err := h.audit.Record(e); err != nil {
		h.log.Error("writing the audit log", "err", err)
	}
}

func (h *host) noteStarted() {
	h.note(audit.Entry{
		What: audit.HostStarted,
		Why:  fmt.Sprintf("coder %s, process %d at %s, for %s at %s", h.file.Version, h.file.PID, h.file.Addr, h.file.Model, provider(h.file.BaseURL)),
	})
}

// noteStopped is the last line of a host. One that was killed has none.
func (h *host) noteStopped(failed error) {
	e := audit.Entry{What: audit.HostStopped, Why: fmt.Sprintf("process %d", h.file.PID)}
	if failed != nil {
		e.Failed = failed.Error()
	}
	h.note(e)
	if err := h.audit.Close(); err != nil {
		h.log.Error("closing the audit log", "err", err)
	}
}
