package main

import "github.com/spf13/cobra"

func newApprove(a *app) *cobra.Command {
	d := &decideCommand{app: a, approved: true}
	return d.command(&cobra.Command{
		Use:   "approve SESSION [CALL]",
		Short: "Let a tool call that waits for a decision run, and follow the turn",
		Long: `approve lets a tool call that waits for a decision run, and follows the turn to its end as run does. When several wait it
lists them: name one, or say --all. Any terminal can do this, today or tomorrow: what waits is on disk.`,
		Example: `  coder approve nightly
  coder approve nightly call_1 --detach
  coder approve nightly --all`,
	})
}
