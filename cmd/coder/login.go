package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/openrouter"
	"github.com/coder-agent/coder/agent/plain"
)

// loginPatience is how long the browser has. A code lives twice as long.
const loginPatience = 5 * time.Minute

// A loginCommand holds the flags of coder login.
type loginCommand struct {
	app     *app
	config  config
	paste   bool
	file    bool
	browser bool
	asked   bool // for a browser, or for none
}

func newLogin(a *app) *cobra.Command {
	l := &loginCommand{app: a}
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Get a key from the provider and keep it",
		Long: `login gets a key with your yes in a browser, or takes one that you paste, looks whether the provider knows it, and keeps
it: in the keyring of the system, or, where none works, in a file that only you can read. It is sent to no other provider
than the one it was made for. While ` + keyVar + ` is set, that key is used instead.

With --paste nothing that you type is shown; where no terminal is, the key is the first line of stdin.`,
		Example: `  coder login
  coder login --paste                       # over SSH, or for another provider than OpenRouter
  pass show openrouter | coder login --paste
  coder logout`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if l.config, err = a.config(cmd); err != nil {
				return err
			}
			l.asked = cmd.Flags().Changed("browser")
			return l.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&l.paste, "paste", false, "take a key from the terminal or from stdin")
	f.BoolVar(&l.file, "file", false, "keep the key in a file, also where a keyring is")
	f.BoolVar(&l.browser, "browser", false, "open the browser (by itself only at a terminal); --browser=false never")
	return cmd
}

func (l *loginCommand) run(ctx context.Context) error {
	get := l.fromBrowser
	if l.paste {
		get = l.fromUser
	}
	key, err := get(ctx)
	if err != nil {
		return err
	}
	l.app.secrets.AddKey(keyVar, key)
	about, err := l.check(ctx, key)
	if err != nil {
		return err
	}
	where, err := l.app.keep(ctx, l.config.BaseURL, key, l.file)
	if err != nil {
		return err
	}
	l.app.audit(l.config.DataDir, audit.Entry{What: audit.Login, By: "person", Why: fmt.Sprintf("the key for %s is kept in %s", provider(l.config.BaseURL), where)})
	fmt.Fprintf(l.app.stdout, "%s\nkept in: %s\n", plain.Text(about), where)
	if l.config.Key != "" {
		fmt.Fprintf(l.app.stderr, "note: %s is set, and wins over the key that is kept now\n", keyVar)
	}
	return nil
}

// client asks the provider, with a key or without.
func (l *loginCommand) client(key string) (*openrouter.Client, error) {
	return openrouter.New(openrouter.Options{Key: key, BaseURL: l.config.BaseURL, Proxy: http.ProxyFromEnvironment})
}

// fromBrowser gets a key with the user's yes on a page of the provider.
func (l *loginCommand) fromBrowser(ctx context.Context) (string, error) {
	client, err := l.client("")
	if err != nil {
		return "", err
	}
	login, err := client.Login()
	if errors.Is(err, openrouter.ErrNoLogin) {
		return "", &hintedError{fmt.Errorf("%s has no login in a browser", l.config.BaseURL), "make a key there, then: coder login --paste"}
	}
	if err != nil {
		return "", err
	}
	back, err := listenForCode(ctx)
	if err != nil {
		return "", err
	}
	defer back.close(ctx)
	page := login.URL(back.url(), "coder")
	fmt.Fprintf(l.app.stdout, "say yes on this page, within %d minutes:\n\n  %s\n\n", int(loginPatience.Minutes()), page)
	if l.browser || !l.asked && l.atTerminal() {
		if err := openBrowser(page, l.app.environ()); err != nil {
			fmt.Fprintf(l.app.stderr, "note: %v; open the page yourself\n", err)
		}
	}
	code, err := back.wait(ctx, loginPatience)
	if err != nil {
		return "", err
	}
	return login.Redeem(ctx, code)
}

// atTerminal reports whether a person sits at this very machine, as far as can be told.
func (l *loginCommand) atTerminal() bool {
	in, ok := l.app.stdin.(*os.File)
	return ok && term.IsTerminal(int(in.Fd())) && l.app.getenv("SSH_CONNECTION") == ""
}

// fromUser takes a key that is typed or piped in.
func (l *loginCommand) fromUser(ctx context.Context) (string, error) {
	read := func() (string, error) {
		line, err := bufio.NewReaderSize(io.LimitReader(l.app.stdin, mostKey+2), mostKey+2).ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		return line, err
	}
	if in, ok := l.app.stdin.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		restore, err := term.GetState(int(in.Fd()))
		if err != nil {
			return "", fmt.Errorf("asking for the key: %w", err)
		}
		defer func() { _ = term.Restore(int(in.Fd()), restore) }() // Ctrl-C leaves it as reading had made it
		fmt.Fprint(l.app.stderr, "paste the key (it is not shown): ")
		defer fmt.Fprintln(l.app.stderr)
		read = func() (string, error) {
			line, err := term.ReadPassword(int(in.Fd()))
			return string(line), err
		}
	}
	line, err := bounded(ctx, loginPatience, read)
	if err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if errors.Is(err, io.EOF) {
			return "", &hintedError{errors.New("stdin ended without a key"), "pipe one in: pass show openrouter | coder login --paste; or type it at a terminal"}
		}
		return "", fmt.Errorf("reading the key: %w", err)
	}
	return cleanKey(line)
}

const mostKey = 2 << 10 // bytes; a keyring of Windows takes 2,560

// cleanKey refuses what is no key.
func cleanKey(line string) (string, error) {
	key := strings.TrimSpace(line)
	odd := strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(key) < 8 || len(key) > mostKey || odd {
		return "", &hintedError{errors.New("that is no key: it is one word of 8 to 2,048 visible characters"), "keys of OpenRouter begin with sk-or-: https://openrouter.ai/keys"}
	}
	return key, nil
}

// check asks the provider what the key may do and says so. One that the provider does not know is refused.
func (l *loginCommand) check(ctx context.Context, key string) (string, error) {
	client, err := l.client(key)
	if err != nil {
		return "", err
	}
	about, err := client.Key(ctx)
	refused, answered := errors.AsType[*openrouter.Error](err)
	switch {
	case err == nil:
		return keyLine(about), nil
	case answered && (refused.Status == http.StatusNotFound || refused.Status == http.StatusMethodNotAllowed):
		return l.config.BaseURL + " tells nothing of its keys: this one is not checked", nil
	case answered && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden):
		return "", &hintedError{fmt.Errorf("%s does not know the key: %w", l.config.BaseURL, err), "nothing was kept; look whether all of it was pasted"}
	}
	return "", fmt.Errorf("checking the key: %w", err)
}

// keyLine is what a key may do, in a line.
func keyLine(k openrouter.Key) string {
	line := "the key works: "
	switch {
	case k.Limit != nil && k.Remaining != nil:
		line += fmt.Sprintf("$%.2f of its limit of $%.2f are left", *k.Remaining, *k.Limit)
		if k.Reset != "" {
			line += ", which begins anew " + k.Reset
		}
	case k.Limit != nil:
		line += fmt.Sprintf("its limit is $%.2f", *k.Limit)
	default:
		line += "it has no limit of its own"
	}
	line += fmt.Sprintf("; $%.2f were spent with it", k.Usage)
	if k.FreeTier {
		line += "; the account has no credits, so only free models answer"
	}
	if !k.Expires.IsZero() {
		line += "; it ends on " + k.Expires.Format(time.DateOnly)
	}
	return line
}
