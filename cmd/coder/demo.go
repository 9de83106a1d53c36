package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
)

// demoFiles holds the scratch projects. Their files end in .txt so that no Go tool takes them for ours.
//
//go:embed demo
var demoFiles embed.FS

// A demoProject is a scratch project and how to test it.
type demoProject struct {
	name string // its folder in demoFiles
	test []string
}

// A demoCommand holds the flags of coder demo.
type demoCommand struct {
	app  *app
	keep bool
	host hostFile // that the demo has started
}

func newDemo(a *app) *cobra.Command {
	d := &demoCommand{app: a}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch an agent fix a failing test: no key, no network",
		Long: `demo makes a scratch project with a failing test and lets an agent fix it. Its model is scripted: the answers are
fixed beforehand and served over HTTP on this machine. All else is real: host, socket, agent, tools and test.`,
		Example: "  coder demo\n  coder demo --keep",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&d.keep, "keep", false, "leave the scratch project")
	return cmd
}

func (d *demoCommand) run(ctx context.Context) (err error) {
	root, err := os.MkdirTemp("", "coder-demo-")
	if err != nil {
		return fmt.Errorf("making the demo's folder: %w", err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return err
	}
	folder, dataDir := filepath.Join(root, "project"), filepath.Join(root, "data")
	defer func() { err = errors.Join(err, d.clean(context.WithoutCancel(ctx), root, dataDir)) }()
	project := chooseDemo()
	if err := project.write(folder); err != nil {
		return err
	}
	model, err := project.model()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	d.introduce(folder, model.URL(), project)
	if err := d.follow(ctx, folder, dataDir, model.URL()); err != nil {
		return err
	}
	return d.check(ctx, folder, project)
}

// chooseDemo takes the Go project where Go is installed.
func chooseDemo() demoProject {
	if _, err := exec.LookPath("go"); err != nil {
		return demoProject{"shell", []string{"sh", "test.sh"}}
	}
	return demoProject{"go", []string{"go", "test", "./..."}}
}

func (p demoProject) write(folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return fmt.Errorf("making the demo's project: %w", err)
	}
	files, err := fs.Glob(demoFiles, path.Join("demo", p.name, "*.txt"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := demoFiles.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(path.Base(file), ".txt")
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return fmt.Errorf("making the demo's project: %w", err)
		}
	}
	return nil
}

// model serves the script of the project.
func (p demoProject) model() (*openroutertest.Server, error) {
	f, err := demoFiles.Open(path.Join("demo", p.name, "script.jsonl"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	script, err := openroutertest.Load(f)
	if err != nil {
		return nil, err
	}
	model := openroutertest.New(script...)
	return model, model.Start()
}

func (d *demoCommand) introduce(folder, url string, p demoProject) {
	fmt.Fprintf(d.app.stderr, `This is a demo. The MODEL IS SCRIPTED: its answers are fixed beforehand and come from %s.
All else is real: the host process, the socket, the agent, its tools, and the test (%s).
The scratch project, with a failing test, is %s

`, url, strings.Join(p.test, " "), folder)
}

// follow is coder run in the scratch project, with a data dir and a host of its own.
func (d *demoCommand) follow(ctx context.Context, folder, dataDir, url string) error {
	const prompt = "The test fails. Find the reason and fix it."
	_, rules, _ := readConfigFile(configFile()) // what is wrong in it the host says
	r := &runCommand{app: d.app, kind: "run", folder: folder, session: "demo", config: config{
		Model: "scripted/demo", Mode: permission.ModeAuto, DataDir: dataDir, Addr: "127.0.0.1:0", BaseURL: url,
		Host: hostAuto, Rules: rules, origins: map[string]origin{"model": {From: "demo"}},
	}}
	session, about, err := r.open(ctx, &connector{app: d.app, config: r.config})
	if err != nil {
		return err
	}
	defer session.Close()
	if d.host, _, err = readHostFile(dataDir); err != nil {
		return err
	}
	fmt.Fprintf(d.app.stderr, "%s\n\nyou: %s\n\n", about.bounds(), prompt)
	about.Turn = session.Prompt(client.UserMessage(prompt))
	options := headless.Options{Out: d.app.stdout, Err: d.app.stderr, Interrupt: d.app.takeSignals(), ResultLines: verboseLines}
	for {
		result, err := headless.Follow(ctx, session, about.Result, options)
		if err != nil || result.Reason != chat.FinishApproval {
			return turnOutcome(result, err)
		}
		// Whoever started the demo wants its commands to run in its own scratch folder, also where no sandbox works.
		for _, call := range result.Approvals {
			if err := session.Decide(ctx, call.ToolCallID, client.Decision{Approved: true, Reason: "it is the demo's own scratch folder"}); err != nil {
				return err
			}
		}
		about.Result = headless.Result{Session: about.Session}
	}
}

// check runs the test once more, outside the agent.
func (d *demoCommand) check(ctx context.Context, folder string, p demoProject) error {
	cmd := exec.CommandContext(ctx, p.test[0], p.test[1:]...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("checking the project: %s: %w\n%s", strings.Join(p.test, " "), err, out)
	}
	fmt.Fprintf(d.app.stderr, "\nchecked without the agent: %s: %s\n", strings.Join(p.test, " "), strings.TrimSpace(string(out)))
	return nil
}

// clean ends the host and removes what the demo made.
func (d *demoCommand) clean(ctx context.Context, root, dataDir string) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout+5*time.Second)
	defer cancel()
	if h, ok, err := readHostFile(dataDir); err != nil {
		return err
	} else if ok {
		if err := h.stop(ctx); err != nil {
			return err
		}
	} else if d.host.PID > 0 { // it ends with its last client, and takes its file away before it has written its last
		if err := waitGone(ctx, d.host.PID); err != nil {
			return err
		}
	}
	if !d.keep {
		return os.RemoveAll(root)
	}
	fmt.Fprintf(d.app.stderr, "the project stays in %s\n", filepath.Join(root, "project"))
	return os.RemoveAll(dataDir)
}
