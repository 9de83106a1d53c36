package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/openrouter"
)

func newLogout(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "Forget the key that login has kept",
		Long: `logout removes the key for the provider from the keyring and from the file. The key itself goes on working until it is
revoked at the provider, and a host that runs still has it.`,
		Example: "  coder logout",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			key, found, err := a.forget(cmd.Context(), c.BaseURL)
			if err != nil {
				return err
			}
			if !found {
				_, err = fmt.Fprintf(a.stdout, "no key is kept for %s\n", c.BaseURL)
			} else {
				a.audit(c.DataDir, audit.Entry{What: audit.Logout, By: "person", Why: fmt.Sprintf("the key for %s is forgotten", provider(c.BaseURL))})
				_, err = fmt.Fprintf(a.stdout, "forgotten: the key for %s\nit still works: revoke it at %s\n", c.BaseURL, keyPage(c.BaseURL, key))
			}
			if c.Key != "" {
				fmt.Fprintf(a.stderr, "note: %s is still set\n", keyVar)
			}
			if h, _, ok, _ := running(cmd.Context(), c.DataDir); ok && found {
				fmt.Fprintf(a.stderr, "note: the running host (process %d) still has it: coder stop ends it\n", h.PID)
			}
			return err
		},
	}
	addFlags(cmd, "dataDir")
	return cmd
}

// keyPage is where the owner of a key can revoke it, as far as we know.
func keyPage(baseURL, key string) string {
	switch u, err := url.Parse(baseURL); {
	case baseURL == defaultBaseURL && key != "":
		return openrouter.KeyPage(key)
	case baseURL == defaultBaseURL:
		return "https://openrouter.ai/keys"
	case err == nil:
		return u.Host
	}
	return baseURL
}
