package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/openrouter"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/trust"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/cmd/internal/tui"
	"github.com/coder-agent/coder/cmd/internal/tui/editor"
	"github.com/coder-agent/coder/server/client"
	"github.com/coder-agent/coder/tools"
)

// A chatCommand holds the flags of coder chat. It opens sessions as coder run does.
type chatCommand struct {
	runCommand
	notes *notes
	pid   atomic.Int64 // of the host that we talk to; 0 before the first
}

func newChat(a *app) *cobra.Command {
	c := &chatCommand{runCommand: runCommand{app: a, kind: "chat"}}
	cmd := &cobra.Command{
		Use:   "chat",
		Short: "Work with the agent in the terminal",
		Long: `chat is the terminal client. What is said stays in the terminal's own scrollback; below it stand what is open, the line that you
type in, and the status. /help shows the commands and keys.

The session lives in the host: leaving with Ctrl-C twice, or closing the terminal, stops no turn. Come back with -c in the same
folder, or with --session NAME; several terminals and pages may work with one session at a time.

Where stdin or stdout is no terminal, or TERM is dumb, each line of stdin is a prompt, and the answers go to stdout as plain text.`,
		Example: `  coder chat
  coder chat -c                     # go on with the last session of this folder
  coder chat --session nightly --mode plan`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.config, err = a.config(cmd); err != nil {
				return err
			}
			return c.run(cmd.Context())
		},
	}
	c.addFlags(cmd)
	return cmd
}

// idleChat is how long the host that a chat has started waits for its user to come back, unless the settings say so.
const idleChat = 10 * time.Minute

func (c *chatCommand) run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	c.notes = &notes{out: c.app.stderr, lines: make(chan string, 256)}
	session, about, err := c.open(ctx, c.connector())
	if err != nil {
		return err
	}
	in, out, ok := c.terminal()
	if !ok {
		defer session.Close()
		return c.lines(ctx, session, about)
	}
	custom, err := c.custom()
	if err != nil {
		session.Close()
		return err
	}
	c.notes.held.Store(true)
	defer c.notes.held.Store(false)
	return tui.Run(ctx, in, out, tui.Options{
		Environ: c.app.environ(), First: c.opened(session, about), Open: c.openNamed, Show: tools.Show, Summary: summaries(), Now: time.Now,
		Notes: c.notes.lines, Signals: c.app.takeSignals(), Doctor: c.doctor, Models: c.models, Shell: c.shell, Custom: custom, Version: version(),
		Editor: c.editor(ctx), Drafts: func(name string) (editor.Drafts, error) { return editor.OpenDraft(c.drafts(), name) },
	})
}

// connector finds the host, and says when it is another than before.
func (c *chatCommand) connector() *connector {
	world := c.app.world
	world.stderr = c.notes
	quiet := &app{world: world, args: c.app.args, taken: c.app.taken, secrets: c.app.secrets}
	conn := &connector{app: quiet, config: c.config, idle: idleChat, found: c.found}
	if c.config.origins["idle"].From != fromDefault {
		conn.idle = c.config.Idle
	}
	return conn
}

// found notes which host we talk to. Sessions are connected one after the other, but each reconnects by itself.
func (c *chatCommand) found(h hostFile, started bool) {
	before := c.pid.Swap(int64(h.PID))
	if before == 0 || before == int64(h.PID) {
		return
	}
	how := "another host is there now"
	if started {
		how = "a new one was started"
	}
	fmt.Fprintf(c.notes, "the host (process %d) has ended; %s (process %d)\n", before, how, h.PID)
}

// terminal returns what the user sits at, or false. One that calls itself dumb obeys nothing that we would draw with.
func (c *chatCommand) terminal() (in, out *os.File, ok bool) {
	in, _ = c.app.stdin.(*os.File)
	out, ok = c.app.stdout.(*os.File)
	return in, out, ok && in != nil && c.app.getenv("TERM") != "dumb" && atTerminal(in) && atTerminal(out)
}

func (c *chatCommand) opened(session *client.Session, about opened) tui.Opened {
	return tui.Opened{
		Session: session, Client: about.client, Name: about.Session, Workdir: about.Workdir, Model: about.Model, Mode: about.Mode,
		Sandbox: about.sandbox, Created: about.created, Notes: []string{about.bounds()}, Custom: c.commandsOf(about.Workdir),
	}
}

// openNamed connects to another session: one that exists, in its own folder, or a new one in ours.
func (c *chatCommand) openNamed(ctx context.Context, name string) (tui.Opened, error) {
	next := c.runCommand
	next.session = name
	if name == "" {
		next.session = newSessionName()
	} else if !agent.ValidAddress(name) {
		return tui.Opened{}, &agent.NameError{Name: name}
	}
	conn := c.connector()
	next.app = conn.app
	list, err := conn.app.sessions(ctx, c.config)
	if err != nil {
		return tui.Opened{}, err
	}
	if i := slices.IndexFunc(list, func(s agent.Session) bool { return strings.EqualFold(s.Name, name) }); i >= 0 {
		next.folder = list[i].Workdir
		next.config, next.noSandbox = next.config.forOther(), false
	}
	session, about, err := next.open(ctx, conn)
	if err != nil {
		return tui.Opened{}, err
	}
	return c.opened(session, about), nil
}

// drafts is the folder of what is written and not sent. Nobody else may read there.
func (c *chatCommand) drafts() string { return filepath.Join(c.config.DataDir, "drafts") }

// editor is what prompts are written with: one past for all sessions, and the editor that the user has chosen.
func (c *chatCommand) editor(ctx context.Context) editor.Options {
	return editor.Options{
		History: editor.NewHistoryFile(filepath.Join(c.config.DataDir, "history.jsonl")), Home: xdg.Home, Dir: c.drafts(),
		External: editor.ExternalCommand(ctx, cmp.Or(c.app.getenv("VISUAL"), c.app.getenv("EDITOR"))),
	}
}

// commandsOf reads the commands of a session's folder. One that the user does not trust has none.
func (c *chatCommand) commandsOf(workdir string) (commands []tui.Custom) {
	for _, p := range c.config.trusted().Look(workdir).Commands() {
		if name, ok := trust.CommandName(p.Path); ok {
			commands = append(commands, tui.NewCustom(name, p.Path, p.Text))
		}
	}
	return commands
}

// custom reads the user's own commands.
func (c *chatCommand) custom() ([]tui.Custom, error) {
	return tui.ReadCustom(filepath.Join(filepath.Dir(configFile()), "commands"))
}

// doctor is coder doctor for these settings.
func (c *chatCommand) doctor(ctx context.Context) (string, error) {
	var out bytes.Buffer
	world := c.app.world
	world.stdin, world.stdout, world.stderr = nil, &out, &out
	words := []string{"doctor", "--data-dir", c.config.DataDir}
	a := &app{world: world, args: words, taken: c.app.taken, secrets: c.app.secrets}
	root := newRoot(a)
	root.SetArgs(words)
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(ctx)
	if exit, ok := errors.AsType[*exitError](err); ok && exit.Err == nil {
		err = nil // what is wrong stands in the text
	}
	return out.String(), err
}

// models lists what the provider has.
func (c *chatCommand) models(ctx context.Context) ([]string, error) {
	if err := c.app.findKey(ctx, &c.config); err != nil {
		return nil, err
	}
	provider, err := openrouter.New(openrouter.Options{Key: c.config.key(), BaseURL: c.config.BaseURL, Title: "coder", Proxy: http.ProxyFromEnvironment})
	if err != nil {
		return nil, err
	}
	return provider.Models(ctx)
}

// mostShell bounds what is kept of the output of the user's own command, in bytes, and afterShell how long is waited for what it has
// left behind to let go of its output.
const (
	mostShell  = 1 << 20
	afterShell = time.Second
)

// shell runs a command of the user's own, as their shell would: with their environment, and not in the sandbox, but without our terminal,
// whose keys are ours. When ctx ends all of it ends. Secrets that we know are taken out of what it says: that goes to the model.
func (c *chatCommand) shell(ctx context.Context, workdir, command string) (string, int, error) {
	name := cmp.Or(c.app.getenv("SHELL"), "sh")
	arguments := []string{"-c", command}
	if runtime.GOOS == "windows" {
		name, arguments = cmp.Or(c.app.getenv("COMSPEC"), "cmd"), []string{"/c", command}
	}
	out := &beginning{most: mostShell}
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = workdir, c.app.environ(), out, out, afterShell
	detach(cmd)
	cmd.Cancel = func() error { return endTree(cmd) }
	err := cmd.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return c.app.secrets.Redact(out.String()), ended.ExitCode(), nil
	}
	return c.app.secrets.Redact(out.String()), 0, err
}

// A beginning keeps the first bytes of what is written to it.
type beginning struct {
	bytes.Buffer
	most int
}

func (b *beginning) Write(data []byte) (int, error) {
	b.Buffer.Write(data[:min(len(data), max(0, b.most-b.Len()))])
	return len(data), nil
}

// lines is chat without a terminal: each line of stdin is a prompt.
func (c *chatCommand) lines(ctx context.Context, session *client.Session, about opened) error {
	fmt.Fprintf(c.app.stderr, "session: %s\n%s\n", about.Session, about.bounds())
	options := headless.Options{Out: c.app.stdout, Err: c.app.stderr, Format: headless.Text, Show: tools.Show, Interrupt: c.app.takeSignals()}
	prompts := bufio.NewScanner(c.app.stdin)
	prompts.Buffer(nil, maxPrompt)
	for prompts.Scan() {
		text := strings.ToValidUTF8(strings.TrimSpace(prompts.Text()), "\uFFFD")
		if text == "" {
			continue
		}
		about.Turn = session.Prompt(client.UserMessage(text))
		if err := c.app.follow(ctx, session, about.Result, options); err != nil {
			return err
		}
	}
	if err := prompts.Err(); err != nil {
		return fmt.Errorf("reading stdin: %w", err)
	}
	return nil
}

// notes take what is said for people: it goes to stderr, and while the terminal is the client's own, to that.
type notes struct {
	out   io.Writer
	held  atomic.Bool
	lines chan string
}

func (n *notes) Write(data []byte) (int, error) {
	if !n.held.Load() {
		return n.out.Write(data)
	}
	for line := range strings.Lines(string(data)) {
		select {
		case n.lines <- plain.Line(line, 500):
		default: // nobody reads them any more
		}
	}
	return len(data), nil
}
