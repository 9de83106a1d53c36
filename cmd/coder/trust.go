package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/trust"
)

// trusted is where the user's word on folders is kept: in the data dir, which no tool may touch.
func (c config) trusted() trust.Store {
	return trust.Store{Dir: filepath.Join(c.DataDir, "trust"), Home: xdg.Home, Tools: ruled()}
}

// A trustCommand holds the flags of coder trust.
type trustCommand struct {
	app    *app
	store  trust.Store
	yes    bool
	show   bool
	revoke bool
	list   bool
	asJSON bool
	allow  []string // rules of the folder that allow
}

func newTrust(a *app) *cobra.Command {
	t := &trustCommand{app: a}
	cmd := &cobra.Command{
		Use:   "trust [DIR]",
		Short: "Show what a folder brings for the agent, and trust it",
		Long: `trust shows what a folder brings for the agent (instructions in AGENTS.md or CLAUDE.md, rules in .coder/config.json, commands of
coder chat in .coder/commands, MCP servers in .mcp.json) and asks whether you trust it. Before your yes nothing of it acts, but for rules that narrow what the agent may do. Your
yes is to what you were shown: when a git pull changes it, you are asked again and shown the difference. A folder above or below,
or one that is renamed, is another folder. Your home folder and / are never trusted.

A rule of the project that allows something counts only if you accept that very rule, when you are asked or with --allow.`,
		Example: `  coder trust                 # this folder
  coder trust --show ~/src/x  # all that it brings, without a question
  coder trust --yes --allow 'allow bash(go test **)'
  coder trust --list
  coder trust --revoke`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config(cmd)
			if err != nil {
				return err
			}
			t.store = c.trusted()
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return t.run(cmd.Context(), dir)
		},
		ValidArgsFunction: completeFolders,
	}
	addFlags(cmd, "dataDir")
	f := cmd.Flags()
	f.BoolVarP(&t.yes, "yes", "y", false, "trust it without asking; rules that allow need --allow all the same")
	f.StringArrayVar(&t.allow, "allow", nil, "accept this rule of the project that allows; may be repeated")
	f.BoolVar(&t.show, "show", false, "show all that it brings, and do not ask")
	f.BoolVar(&t.revoke, "revoke", false, "trust it no longer; sessions that know its instructions keep them")
	f.BoolVar(&t.list, "list", false, "list the folders that you have trusted or refused")
	f.BoolVar(&t.asJSON, "json", false, "print JSON, and do not ask")
	cmd.MarkFlagsMutuallyExclusive("yes", "show", "revoke", "list")
	return cmd
}

func (t *trustCommand) run(ctx context.Context, dir string) error {
	switch {
	case t.list:
		return t.printList()
	case t.revoke:
		return t.forget(dir)
	}
	path, err := workdir(dir)
	if err != nil {
		return err
	}
	f := t.store.Look(path)
	if t.show || t.asJSON && !t.yes {
		return t.print(f)
	}
	if t.yes && f.Never != nil {
		return f.Never
	}
	if f.State == trust.Nothing || f.State == trust.Trusted && len(t.allow) == 0 {
		return t.print(f)
	}
	if err := errors.Join(f.Never, f.Broken()); err != nil {
		return errors.Join(t.print(f), err)
	}
	if t.yes || f.State == trust.Trusted { // then each rule is named
		return t.accept(f, append(kept(f), t.allow...))
	}
	if !atTerminal(t.app.stdin) {
		return errors.Join(t.print(f), &usageError{
			Err: errors.New("there is nobody to ask: add --yes, or --show to see all of it"), Command: "coder trust",
		})
	}
	said, err := t.app.askTrust(ctx, t.store, f, t.allow)
	if err == nil && said {
		return t.print(t.store.Look(path))
	}
	return err
}

// accept records a yes that was typed on the command line.
func (t *trustCommand) accept(f trust.Folder, allow []string) error {
	if err := t.app.acceptTrust(t.store, f, unique(allow)); err != nil {
		return err
	}
	return t.print(t.store.Look(f.Path))
}

// kept are the rules that were accepted before and that the folder still has.
func kept(f trust.Folder) (rules []string) {
	for _, rule := range f.Allowing() {
		for _, accepted := range f.Record.Allow {
			if rule == accepted {
				rules = append(rules, rule)
			}
		}
	}
	return rules
}

// forget revokes the trust in a folder, also one that is not there any more.
func (t *trustCommand) forget(dir string) error {
	path, err := workdir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = filepath.Abs(dir)
	}
	if err != nil {
		return err
	}
	was, err := t.store.Revoke(path)
	if err != nil {
		return fmt.Errorf("revoking the trust in %s: %w", path, err)
	}
	if was {
		t.app.noteTrust(t.store, audit.Denied, path, []string{"revoked"})
	}
	if t.asJSON {
		return printJSON(t.app.stdout, struct {
			Folder  string `json:"folder"`
			Revoked bool   `json:"revoked"`
		}{path, was})
	}
	word := "is not trusted any more"
	if !was {
		word = "was not trusted"
	}
	_, err = fmt.Fprintf(t.app.stdout, "%s %s\n", plain.Visible(path), word)
	return err
}

// A trustJSON is what coder trust --json prints of a folder.
type trustJSON struct {
	Folder   string       `json:"folder"`
	State    trust.State  `json:"state"`
	Never    string       `json:"never,omitempty"` // why it cannot be trusted
	Wants    []trust.Want `json:"wants"`
	Parts    []trust.Part `json:"parts"` // what the yes is to, as the model and the policy get it
	Problems []string     `json:"problems,omitempty"`
	Accepted *acceptJSON  `json:"accepted,omitempty"`
}

type acceptJSON struct {
	At       time.Time `json:"at"`
	Declined bool      `json:"declined,omitempty"`
	Allow    []string  `json:"allow"`
}

func (t *trustCommand) print(f trust.Folder) error {
	if !t.asJSON {
		return printFolder(t.app.stdout, f, t.show)
	}
	doc := trustJSON{Folder: f.Path, State: f.State, Wants: append([]trust.Want{}, f.Wants...), Parts: append([]trust.Part{}, f.Parts...)}
	if f.Never != nil {
		doc.Never = f.Never.Error()
	}
	for _, p := range f.Problems {
		doc.Problems = append(doc.Problems, p.Error())
	}
	if r := f.Record; r.Folder != "" {
		doc.Accepted = &acceptJSON{r.At, r.Declined, r.Allow}
	}
	return printJSON(t.app.stdout, doc)
}

// A trustRow is a folder in the list.
type trustRow struct {
	Folder   string      `json:"folder"`
	State    trust.State `json:"state"` // as it is now
	At       time.Time   `json:"at"`
	Declined bool        `json:"declined"`
	Allow    []string    `json:"allow"`
}

func (t *trustCommand) printList() error {
	records, err := t.store.List()
	rows := []trustRow{}
	for _, r := range records {
		rows = append(rows, trustRow{r.Folder, t.store.Look(r.Folder).State, r.At, r.Declined, r.Allow})
	}
	if t.asJSON {
		return errors.Join(err, printJSON(t.app.stdout, struct {
			Folders []trustRow `json:"folders"`
		}{rows}))
	}
	for _, r := range rows {
		word := string(r.State)
		if r.Declined {
			word = "refused"
		}
		if _, err := fmt.Fprintf(t.app.stdout, "%-9s  %s  %s\n", word, r.At.Local().Format(time.DateOnly), plain.Visible(r.Folder)); err != nil {
			return err
		}
	}
	return err
}
