package main

import "github.com/spf13/cobra"

func newApprove(a *app) *cobra.Command {
	d := &decideCommand{app: a, approved: true}
	cmd := d.command(&cobra.Command{
		Use:   "approve SESSION [CALL]",
		Short: "Let a tool call that waits for a decision run, and follow the turn",
		Long: `approve lets a tool call that waits for a decision run, and follows the turn to its end as run does. When several wait it
lists them: name one, or say --all. Any terminal can do this, today or tomorrow: what waits is on disk.`,
		Example: `  coder approve nightly
  coder approve nightly call_1 --detach
  coder approve nightly --all
  coder approve nightly call_1 --always   # and such calls of the session from now on`,
	})
	cmd.Flags().BoolVar(&d.always, "always", false, "keep the rule that was shown: such calls of the session are not asked for any more")
	cmd.Flags().BoolVar(&d.seen, "seen", false, "you have read all of a call that is too long to be shown at once")
	return cmd
}
