package main

import (
	"bufio"
	"sync"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent/secret"
)

// An app is one invocation of coder.
type app struct {
	world
	args    []string
	once    sync.Once
	taken   chan struct{} // closed when the command sees to signals itself
	lines   *bufio.Reader // of stdin, once somebody was asked: it may hold the answer to the next question
	secrets *secret.Set   // what neither errors nor logs nor transcripts hold
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "coder",
		Short: "A durable coding agent",
		Long: `coder edits and tests code on your behalf. Its sessions live in a host process, survive crashes, and
can be joined from any number of front-ends.`,
		Example: `  coder demo                              # see it work: no key, no network
  coder chat                              # work with it in the terminal
  coder run 'fix the failing test'        # one prompt, in this folder
  coder run -c 'now add a benchmark'      # go on with the last session of this folder
  coder serve                             # a host for browsers and editors`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          args(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("coder {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	for _, command := range []*cobra.Command{
		newChat(a),
		newRun(a), newAttach(a), newServe(a), newDemo(a), newApprove(a), newDeny(a), newAnswer(a), newCancel(a), newRules(a), newSessions(a), newUndo(a), newRedo(a), newDiff(a), newSchedule(a), newJobs(a), newTrust(a),
		newStatus(a), newStop(a), newAudit(a), newDoctor(a), newConfig(a), newLogin(a), newLogout(a), newVersion(a),
	} {
		root.AddCommand(command)
	}
	ownWords(root)
	return root
}
