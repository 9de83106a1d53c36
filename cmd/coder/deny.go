package main

import "github.com/spf13/cobra"

func newDeny(a *app) *cobra.Command {
	d := &decideCommand{app: a}
	cmd := d.command(&cobra.Command{
		Use:   "deny SESSION [CALL]",
		Short: "Refuse a tool call that waits for a decision, and follow the turn",
		Long: `deny refuses a tool call that waits for a decision, and follows the turn to its end as run does. When several wait it lists
them: name one, or say --all. The model is told, with the reason if there is one, and goes on without the call.`,
		Example: `  coder deny nightly
  coder deny nightly call_1 --reason 'use the Makefile'`,
	})
	cmd.Flags().StringVar(&d.reason, "reason", "", "words for the model")
	return cmd
}
