package main

import (
	"fmt"

	"github.com/coder-agent/coder/agent/audit"
)

// openAudit opens the audit log of the data dir.
func openAudit(c config) (*audit.Log, error) {
	log, err := audit.Open(c.DataDir, audit.Options{})
	return log, unusable(err)
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
