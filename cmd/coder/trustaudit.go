package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/trust"
)

// acceptTrust records the user's yes, also in the audit log: with the hash of each part, and the rules.
func (a *app) acceptTrust(store trust.Store, f trust.Folder, allow []string) error {
	if err := store.Accept(f, allow, time.Now()); err != nil {
		return err
	}
	a.noteTrust(store, audit.Approved, f.Path, append(partsOf(f), allow...))
	return nil
}

// declineTrust records the user's no.
func (a *app) declineTrust(store trust.Store, f trust.Folder) error {
	if err := store.Decline(f, time.Now()); err != nil {
		return err
	}
	a.noteTrust(store, audit.Denied, f.Path, partsOf(f))
	return nil
}

func (a *app) noteTrust(store trust.Store, decision, path string, about []string) {
	a.audit(filepath.Dir(store.Dir), audit.Entry{
		What: audit.Trusted, Decision: decision, By: "person", Why: strings.Join(append([]string{path}, about...), ", "),
	})
}

func partsOf(f trust.Folder) (parts []string) {
	for _, p := range f.Parts {
		parts = append(parts, fmt.Sprintf("%s (%.12s)", p.Path, p.Hash))
	}
	return parts
}
