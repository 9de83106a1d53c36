package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/agent/trust"
)

// meet sees to it, before a prompt is sent, that the user knows what the folder brings: it asks whoever sits at the terminal,
// and tells others in one line that it is not used.
func (a *app) meet(ctx context.Context, store trust.Store, folder string, yes bool) error {
	f := store.Look(folder)
	if err := f.Broken(); err != nil {
		return err
	}
	for _, p := range f.Problems {
		fmt.Fprintf(a.stderr, "note: %s\n", plain.Line(p.Error(), 500))
	}
	if names := refusedOf(f); len(names) > 0 {
		fmt.Fprintf(a.stderr, "note: %s asks for what no project may choose; it is ignored: %s\n", trust.ConfigFile, plain.Line(strings.Join(names, ", "), 300))
	}
	switch {
	case f.State == trust.Nothing || f.State == trust.Trusted:
		return nil
	case f.Never != nil && yes:
		return f.Never
	case yes:
		return a.trustTyped(store, f)
	case f.Never == nil && !f.Record.Declined && atTerminal(a.stdin):
		_, err := a.askTrust(ctx, store, f, nil)
		return err
	}
	fmt.Fprintln(a.stderr, "note: "+unused(f))
	return nil
}

// trustTyped records that --trust was typed.
func (a *app) trustTyped(store trust.Store, f trust.Folder) error {
	if err := a.acceptTrust(store, f, kept(f)); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "trusted: %s\n", acting(f))
	if more := len(f.Allowing()) - len(kept(f)); more > 0 {
		fmt.Fprintf(a.stderr, "note: %s not accepted (%s): see coder trust --show\n", were(more, "rule that allows", "rules that allow"), trust.ConfigFile)
	}
	return nil
}

func were(n int, one, several string) string {
	if n == 1 {
		return "1 " + one + " was"
	}
	return fmt.Sprintf("%d %s were", n, several)
}

// unused says in one line what of the folder is not used, and how to change that.
func unused(f trust.Folder) string {
	how := "coder trust"
	if wd, err := os.Getwd(); err != nil || !samePath(wd, f.Path) {
		how += " " + quoted(plain.Visible(f.Path))
	}
	switch {
	case f.Never != nil:
		return fmt.Sprintf("%s of this folder: not used, for %s", acting(f), f.Never)
	case f.Record.Declined:
		return fmt.Sprintf("%s of this folder: not used, you said no; to change that: %s", acting(f), how)
	case f.State == trust.Changed:
		return fmt.Sprintf("%s of this folder: changed since you trusted it, and not used: see and accept it with: %s", acting(f), how)
	}
	return fmt.Sprintf("%s of this folder: not used until you trust it: %s", acting(f), how)
}

// refusedOf names the settings that the folder may not choose.
func refusedOf(f trust.Folder) (names []string) {
	for _, w := range f.Wants {
		if w.Kind == trust.Refused {
			names = append(names, w.Text)
		}
	}
	return names
}

func samePath(a, b string) bool {
	resolved, err := filepath.EvalSymlinks(a)
	return err == nil && resolved == b
}

// acting names the files of the folder that would act once it is trusted.
func acting(f trust.Folder) string {
	var names []string
	for _, p := range f.Parts {
		name := p.Path
		if p.Kind == trust.Command {
			name = trust.CommandsFolder
		}
		if (p.Kind != trust.Rule || len(f.Allowing()) > 0) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}

// askTrust shows what the folder brings, asks whether the user trusts it, and then for each of its rules that allow. allow are
// accepted already. It returns whether they said yes; a no is kept as well. No answer is neither.
func (a *app) askTrust(ctx context.Context, store trust.Store, f trust.Folder, allow []string) (bool, error) {
	if err := printFolder(a.stderr, f, false); err != nil {
		return false, err
	}
	for {
		text, given, err := a.answer(ctx, "trust this folder, as it is now? [y]es, [n]o, [s]how all of it: ")
		switch {
		case err != nil:
			return false, err
		case !given:
			fmt.Fprintln(a.stderr, "\nnote: "+unused(f))
			return false, nil
		case text == "y" || text == "yes":
			allow, err := a.askRules(ctx, f, allow)
			if err != nil {
				return false, err
			}
			return true, a.acceptTrust(store, f, unique(allow))
		case text == "n" || text == "no":
			f.Record.Declined = true
			fmt.Fprintln(a.stderr, "note: "+unused(f))
			return false, a.declineTrust(store, f)
		case text == "s" || text == "show":
			if err := printFolder(a.stderr, f, true); err != nil {
				return false, err
			}
		}
	}
}

func (a *app) askRules(ctx context.Context, f trust.Folder, allow []string) ([]string, error) {
	for _, rule := range f.Allowing() {
		if slices.Contains(allow, rule) {
			continue
		}
		yes, err := ask(ctx, a, fmt.Sprintf("accept its rule \"%s\"? [y/N] ", rule))
		if err != nil {
			return nil, err
		}
		if yes {
			allow = append(allow, rule)
		}
	}
	return allow, nil
}

func unique(list []string) []string {
	list = slices.Sorted(slices.Values(list))
	return slices.Compact(list)
}

// printFolder shows what a folder brings; whole also shows the text of it. Nothing of it can hide or steer the terminal.
func printFolder(out io.Writer, f trust.Folder, whole bool) error {
	w := &bytes.Buffer{}
	fmt.Fprintf(w, "%s: %s\n", plain.Visible(f.Path), stateText(f))
	for _, want := range f.Wants {
		place := want.Path
		if want.Line > 0 {
			place = fmt.Sprintf("%s:%d", place, want.Line)
		}
		fmt.Fprintf(w, "  %s: %s\n", place, wantText(want))
	}
	for _, p := range f.Problems {
		fmt.Fprintf(w, "  ! %s\n", plain.Visible(p.Error()))
	}
	for _, p := range f.Parts {
		if whole {
			fmt.Fprintf(w, "\n%s:\n%s\n", p.Path, indent(plain.Visible(p.Text)))
		}
	}
	if f.State == trust.Changed {
		printChange(w, f)
	}
	_, err := out.Write(w.Bytes())
	return err
}

func stateText(f trust.Folder) string {
	switch {
	case f.State == trust.Trusted:
		return "trusted since " + f.Record.At.Local().Format(time.DateTime)
	case f.State == trust.Nothing && len(f.Wants) > 0:
		return "nothing of what it brings wants trust"
	case f.State == trust.Nothing:
		return "it brings nothing"
	case f.Never != nil:
		return "not trusted, and cannot be"
	case f.State == trust.Changed:
		return "changed since you trusted it; nothing of it is used"
	case f.Record.Declined:
		return "you said no; nothing of it is used"
	}
	return "not trusted; nothing of it is used"
}

func wantText(w trust.Want) string {
	switch w.Kind {
	case trust.Instructions:
		text := "instructions for the model, " + sizeText(int64(w.Bytes))
		if w.Hidden > 0 {
			text += fmt.Sprintf("; %s that cannot be seen: the model gets escapes", counts(w.Hidden, "character"))
		}
		return text
	case trust.Command:
		text := "command " + w.Text + " of coder chat, " + sizeText(int64(w.Bytes))
		if w.Hidden > 0 {
			text += fmt.Sprintf("; %s that cannot be seen: the model gets escapes", counts(w.Hidden, "character"))
		}
		return text
	case trust.Rule:
		switch {
		case !strings.HasPrefix(w.Text, string(permission.Allow)+" "):
			return "rule: " + w.Text + " (it narrows, and holds already)"
		case w.Holds:
			return "rule: " + w.Text + " (you accepted it)"
		}
		return "rule: " + w.Text + " (not accepted)"
	case trust.Server:
		return "MCP server " + w.Text + " (not started: this version has none)"
	case trust.Refused:
		return fmt.Sprintf(`"%s" is ignored: no project may choose it`, w.Text)
	}
	return fmt.Sprintf(`"%s" is ignored: this version does not know it`, w.Text)
}

// printChange shows what is different from what the user said yes to.
func printChange(w io.Writer, f trust.Folder) {
	text := func(parts []trust.Part, path string) []byte {
		for _, p := range parts {
			if p.Path == path {
				return []byte(strings.TrimSuffix(p.Text, "\n") + "\n")
			}
		}
		return nil
	}
	var paths []string
	for _, p := range slices.Concat(f.Record.Parts, f.Parts) {
		if !slices.Contains(paths, p.Path) {
			paths = append(paths, p.Path)
		}
	}
	for _, path := range paths {
		change := diff.Diff("trusted/"+path, text(f.Record.Parts, path), "now/"+path, text(f.Parts, path))
		_, change, _ = bytes.Cut(change, []byte{'\n'}) // the first line is "diff a b"
		if len(change) > 0 {
			fmt.Fprintf(w, "\n%s\n", indent(plain.Visible(strings.TrimSpace(string(change)))))
		}
	}
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ")
}
