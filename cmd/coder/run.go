package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
	"github.com/coder-agent/coder/tools"
)

// tether is how long the host waits for a run that has vanished before it cancels its turn, in seconds.
const tether = "30"

// maxPrompt bounds a prompt, in bytes: the host takes frames of 32 MiB, and JSON may double what it quotes.
const maxPrompt = 8 << 20

// verboseLines is how much of each tool result --verbose shows.
const verboseLines = 6

// A runCommand holds the flags of coder run.
type runCommand struct {
	app     *app
	kind    string // of the client, as others see it: run or chat
	config  config
	folder  string
	session string
	goOn    bool // with the last session of the folder
	detach  bool
	output  string
	verbose bool
	trust   bool // what the folder brings

	noSandbox bool // typed with --mode full: nothing bounds the commands, and the user knows
}

func newRun(a *app) *cobra.Command {
	r := &runCommand{app: a, kind: "run"}
	cmd := &cobra.Command{
		Use:   "run [PROMPT | -]",
		Short: "Give the agent one prompt and follow it to the end",
		Long: `run gives an agent one prompt and follows its turn to the end. The answer goes to stdout, everything else to stderr.
With -, or with no prompt, stdin is the prompt; what is piped in besides a prompt becomes its context. The session lives
on: go on with -c, in the same folder, or with --session NAME.

What the folder itself brings, such as AGENTS.md, is used once you trust it: see coder trust --help.

A turn needs its terminal: 30 seconds after that has closed the host cancels it, and Ctrl-C does so at once. With --detach
it needs nobody.

A call that needs your yes is asked for on the terminal. Without one the run parks, and exits with 4 and the command that
decides; with --on-ask deny it goes on with a denial, for CI. Nobody to answer never means yes. What the agent itself asks is
asked and answered likewise: see coder answer --help.

Exit codes: 0 done, 1 error, 2 usage, 3 step limit, 4 waits for you, 5 stopped, 130 cancelled,
141 nobody reads stdout.`,
		Example: `  coder run 'fix the failing test'
  git diff | coder run 'review this'
  coder run -c --output json 'and now the docs' | jq -r .text
  coder run --session nightly --detach - < task.md`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.config, err = a.config(cmd); err != nil {
				return err
			}
			return r.run(cmd.Context(), args)
		},
	}
	r.addFlags(cmd)
	f := cmd.Flags()
	f.BoolVar(&r.detach, "detach", false, "return once the prompt is recorded; the turn goes on")
	addOutput(cmd, &r.output)
	f.BoolVar(&r.verbose, "verbose", false, "show what the model thinks aloud and the beginning of tool results")
	return cmd
}

// addFlags gives cmd the flags that say which session, where and how.
func (r *runCommand) addFlags(cmd *cobra.Command) {
	addFlags(cmd, "model", "mode", "maxSteps", "maxCost", "onAsk", "dataDir")
	f := cmd.Flags()
	f.BoolVar(&r.noSandbox, "no-sandbox", false, "with --mode full: begin the session although no sandbox works here")
	f.StringVarP(&r.folder, "dir", "C", ".", "folder to work in")
	f.StringVar(&r.session, "session", "", "name of the session; a new name makes a new session (default: a name is made)")
	completeFlag(cmd, "dir", completeFolders)
	completeFlag(cmd, "session", r.app.completeSessions(anySession))
	f.BoolVarP(&r.goOn, "continue", "c", false, "go on with the last session of the folder")
	f.BoolVar(&r.trust, "trust", false, "trust what the folder brings, such as AGENTS.md, without asking; for scripts")
}

// addOutput gives cmd the flag that chooses what goes to stdout.
func addOutput(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVar(output, "output", "text", "text, json (one document at the end) or jsonl (each event)")
	completeFlag(cmd, "output", completeOutputs)
}

func (r *runCommand) run(ctx context.Context, args []string) error {
	format, err := headless.ParseFormat(r.output)
	if err != nil {
		return &usageError{Err: err, Command: "coder run"}
	}
	if err := r.check(); err != nil {
		return err
	}
	prompt, err := r.prompt(ctx, args)
	if err != nil {
		return err
	}
	conn := &connector{app: r.app, config: r.config}
	if r.config.origins["idle"].From != fromDefault {
		conn.idle = r.config.Idle
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	session, about, err := r.open(ctx, conn)
	if err != nil {
		return err
	}
	defer session.Close()
	fmt.Fprintf(r.app.stderr, "session: %s\n", about.Session)
	fmt.Fprintln(r.app.stderr, about.bounds())
	about.Turn = session.Prompt(client.UserMessage(prompt))
	options := headless.Options{
		Out: r.app.stdout, Err: r.app.stderr, Format: format,
		Show: tools.Show, Reasoning: r.verbose, ResultLines: map[bool]int{true: verboseLines}[r.verbose],
	}
	if r.detach {
		return headless.Leave(ctx, session, about.Result, options)
	}
	options.Interrupt = r.app.takeSignals()
	defer r.app.endingJobs(context.WithoutCancel(ctx), conn, about.Session)
	if terminal := r.app.questioner(); terminal != nil && format == headless.Text {
		options.Asks = true
		return terminal.follow(ctx, session, about.Result, options)
	}
	return r.app.follow(ctx, session, about.Result, options)
}

// check refuses flags that exclude each other.
func (r *runCommand) check() error {
	switch {
	case r.goOn && r.session != "":
		return &usageError{Err: errors.New("--session and --continue exclude each other"), Command: "coder " + r.kind}
	case r.noSandbox && r.config.Mode != permission.ModeFull:
		return &usageError{Err: errors.New("--no-sandbox goes with --mode full"), Command: "coder " + r.kind}
	}
	return nil
}

// prepare finds out where and in which session to work, and that the user knows what the folder brings.
func (r *runCommand) prepare(ctx context.Context) (err error) {
	if r.folder, err = workdir(r.folder); err != nil {
		return err
	}
	if err := r.app.meet(ctx, r.config.trusted(), r.folder, r.trust); err != nil {
		return err
	}
	return r.chooseSession(ctx)
}

// prompt is the argument or stdin. What is piped in besides an argument is its context.
func (r *runCommand) prompt(ctx context.Context, args []string) (string, error) {
	var given, piped string
	if len(args) == 1 && args[0] != "-" {
		given = args[0]
	}
	if len(args) == 1 && args[0] == "-" || !isTerminal(r.app.stdin) {
		data, err := r.readAll(ctx)
		if err != nil {
			return "", err
		}
		piped = strings.ToValidUTF8(string(data), "\uFFFD")
	}
	text := given
	switch {
	case given == "":
		text = piped
	case strings.TrimSpace(piped) != "":
		text += "\n\nThis was piped in with it:\n\n" + piped
	}
	switch {
	case strings.TrimSpace(text) == "":
		return "", &usageError{Err: errors.New("there is no prompt"), Command: "coder run"}
	case len(text) > maxPrompt:
		return "", &hintedError{
			fmt.Errorf("the prompt is longer than %d MiB", maxPrompt>>20),
			"put it into a file in the folder and let the agent read it",
		}
	}
	return text, nil
}

// readAll reads stdin until its end, or until ctx is done: a read that waits for a person cannot be cancelled, so it is
// left behind.
func (r *runCommand) readAll(ctx context.Context) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	patience := time.AfterFunc(slowConnect, func() { fmt.Fprintln(r.app.stderr, "reading stdin to its end") })
	defer patience.Stop()
	done := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(r.app.stdin, maxPrompt+1))
		done <- result{data, err}
	}()
	select {
	case read := <-done:
		if read.err != nil {
			return nil, fmt.Errorf("reading stdin: %w", read.err)
		}
		return read.data, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// isTerminal reports whether r has nothing to give until somebody types: it is a terminal, or no pipe and no file.
func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return r == nil
	}
	info, err := f.Stat()
	return err != nil || info.Mode()&os.ModeCharDevice != 0
}

// workdir checks the folder and resolves its links, as the agent does.
func workdir(folder string) (string, error) {
	dir, err := filepath.Abs(folder)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err == nil {
		_, err = os.ReadDir(dir)
	}
	if err != nil {
		return "", &hintedError{fmt.Errorf("working in %s: %w", folder, err), "name a readable folder with -C DIR"}
	}
	return dir, nil
}

// chooseSession picks the name: as given, the last of the folder, or a new one.
func (r *runCommand) chooseSession(ctx context.Context) error {
	switch {
	case r.goOn:
		list, err := r.app.sessions(ctx, r.config)
		if err != nil {
			return err
		}
		for _, s := range list { // the last used first
			if s.Workdir == r.folder && s.Parent == "" {
				r.session = s.Name
				return nil
			}
		}
		return &hintedError{fmt.Errorf("no session has worked in %s", r.folder), above(list, r.folder)}
	case r.session == "":
		r.session = newSessionName()
	case !agent.ValidAddress(r.session):
		return &usageError{Err: &agent.NameError{Name: r.session}, Command: "coder " + r.kind}
	}
	return nil
}

// above says how to go on when no session works in the folder itself.
func above(list []agent.Session, folder string) string {
	for _, s := range list {
		if rest, ok := strings.CutPrefix(folder, s.Workdir); ok && rest != "" && s.Workdir != "" && os.IsPathSeparator(rest[0]) && s.Parent == "" {
			return fmt.Sprintf("start one without -c; or go on above, with session %s: coder run -c -C %s", s.Name, s.Workdir)
		}
	}
	return "start one without -c"
}

// open connects to the session and sets it up. What was typed holds for every session; what the environment, the config
// file and the defaults say is for a new one.
func (r *runCommand) open(ctx context.Context, conn *connector) (*client.Session, opened, error) {
	query := url.Values{"client": {r.kind}}
	mode := permission.ModeAsk // when nobody has chosen one
	if r.kind == "run" {
		mode = permission.ModeAuto
		if !r.detach {
			query.Set("tether", tether)
		}
	}
	if parent, _, _ := agent.SplitAddress(r.session); parent != "" {
		mode = "" // a child has its parent's
	}
	setup := r.config.setup(mode)
	setup.NoSandbox = r.noSandbox
	setup.Workdir, setup.Environ = r.folder, commandEnviron(r.app.environ(), r.config.PassEnv)
	session, about, err := r.app.dial(ctx, conn, r.kind, r.session, query, setup)
	if err == nil && !about.created {
		r.config.keeps(r.app.stderr, about)
		r.config.keepsLimit(r.app.stderr, about)
	}
	return session, about, err
}
