package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// shutdownTimeout bounds a clean end: tools get 5 s of it.
const shutdownTimeout = 10 * time.Second

// A serveCommand holds the flags of coder serve.
type serveCommand struct {
	app          *app
	config       config
	tokenFile    string
	allowOrigins []string
	allowHosts   []string
	anywhere     bool
	moveCorrupt  bool
	detached     bool
	folder       string // of sessions whose client names none; "" refuses their prompts
	keyless      bool   // no model will be asked
	hold         bool   // schedules are left to the next host
	keyFD        int    // the key comes from this file, not from the environment; 0: it does not
	idle         bool   // it ends when it is idle
}

func newServe(a *app) *cobra.Command {
	s := &serveCommand{app: a}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Host the agents of a data dir",
		Long: `serve hosts the agents of a data dir until it is interrupted. It prints one line on stdout when it is ready. Other
commands find it by themselves; pages and editors need the token, which coder status --json shows.`,
		Example: `  coder serve
  coder serve -C ~/src/project   # where pages that name no folder work
  coder serve --addr 127.0.0.1:4096 --token-file ~/.coder-token   # the same address and token every time`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if s.config, err = a.config(cmd); err != nil {
				return err
			}
			if s.detached {
				s.folder = "" // whoever started it may be anywhere
			} else if s.folder, err = workdir(s.folder); err != nil {
				return err
			}
			s.idle = s.detached || cmd.Flags().Changed("idle")
			return s.run(cmd.Context())
		},
	}
	addFlags(cmd, "addr", "dataDir", "model", "mode", "maxCost", "onAsk", "idle")
	f := cmd.Flags()
	f.StringVarP(&s.folder, "dir", "C", ".", "folder that sessions work in whose client names none, as pages do")
	completeFlag(cmd, "dir", completeFolders)
	f.StringVar(&s.tokenFile, "token-file", "", "keep the token in this file, so that it stays the same (made if it is not there)")
	f.StringSliceVar(&s.allowOrigins, "allow-origin", nil, "let pages of this origin in, such as http://localhost:5173")
	f.StringSliceVar(&s.allowHosts, "allow-host", nil, "let requests in that are sent to this host and port, such as devbox.lan:4096")
	f.BoolVar(&s.anywhere, "i-know", false, "allow an address that other machines can reach")
	f.BoolVar(&s.moveCorrupt, "move-corrupt", false, "if the store is damaged, move it aside and begin a new one")
	f.BoolVar(&s.detached, "detached", false, "take the key from stdin and log to a file")
	f.IntVar(&s.keyFD, "key-fd", 0, "take the key from this open file")
	for _, name := range []string{"detached", "key-fd"} {
		if err := f.MarkHidden(name); err != nil {
			panic(err) // the flag stands above
		}
	}
	return cmd
}

func (s *serveCommand) run(ctx context.Context) error {
	if s.detached {
		return s.runDetached(ctx)
	}
	if s.keyFD > 0 {
		if err := s.take(os.NewFile(uintptr(s.keyFD), "key")); err != nil {
			return err
		}
	}
	if err := s.app.findKey(ctx, &s.config); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	if canScrub && s.keyFD == 0 && len(secretVariables(s.app.environ())) > 0 {
		return s.scrub()
	}
	if s.reachable() {
		fmt.Fprintf(s.app.stderr, "warning: other machines can reach %s; whoever gets the token, which goes over the net unencrypted, can run commands here\n", s.config.Addr)
	}
	h, err := s.openPatiently(ctx, s.logger(s.app.stderr))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.app.stdout, "listening on http://%s\n", h.file.Addr)
	return h.serve(ctx)
}

// take reads what a client, or we ourselves, hand over, and closes where it came from.
func (s *serveCommand) take(from io.Reader) error {
	var o offer
	err := json.NewDecoder(from).Decode(&o)
	if c, ok := from.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	if err != nil {
		return fmt.Errorf("reading the key that is handed over: %w", err)
	}
	s.config.Key, s.config.BaseURL, s.keyless, s.hold = o.Key, o.BaseURL, o.Keyless, o.Hold
	s.app.secrets.AddKey(keyVar, o.Key)
	s.app.secrets.AddPrints(o.Secrets)
	return nil
}

// logger logs as text, without any secret.
func (s *serveCommand) logger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{ReplaceAttr: s.app.secrets.ReplaceAttr}))
}

// check refuses before anything is opened.
func (s *serveCommand) check() error {
	for _, origin := range s.allowOrigins {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return &usageError{Command: "coder serve", Err: &hintedError{
				fmt.Errorf("--allow-origin %s: that is not the origin of a page", origin),
				"write scheme, host and port as the browser shows them, such as http://localhost:5173",
			}}
		}
	}
	if s.config.Mode == permission.ModeFull {
		return &usageError{Err: errors.New("mode full is no default for sessions"), Command: "coder serve"}
	}
	if err := s.config.checkKey(); err != nil && !s.keyless {
		return err
	}
	if _, _, err := net.SplitHostPort(s.config.Addr); err != nil {
		return &hintedError{fmt.Errorf("the address to listen on: %w", err), "write host and port, such as 127.0.0.1:4096"}
	}
	if s.reachable() && !s.anywhere {
		return &hintedError{
			fmt.Errorf("%s can be reached from other machines: whoever gets the token can run commands here", s.config.Addr),
			"listen on 127.0.0.1 and tunnel to it, or add --i-know",
		}
	}
	return nil
}

// reachable reports whether the address is not on loopback.
func (s *serveCommand) reachable() bool {
	host, _, err := net.SplitHostPort(s.config.Addr)
	return err == nil && !isLoopback(host)
}

// token is new at every start, or kept in the token file.
func (s *serveCommand) token() (string, error) {
	if s.tokenFile == "" {
		return newToken(), nil
	}
	data, err := readPrivate(s.tokenFile)
	if err == nil {
		if token := strings.TrimSpace(string(data)); len(token) >= 32 {
			return token, nil
		}
		return "", &hintedError{
			fmt.Errorf("%s holds no token: it must have at least 32 characters", s.tokenFile),
			"name a file that is not there yet: a token is made for it",
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := newToken()
	f, err := os.OpenFile(s.tokenFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("keeping the token: %w", err)
	}
	_, err = f.WriteString(token + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("keeping the token: %w", err)
	}
	return token, nil
}

// newToken returns 32 random bytes.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// mend moves a damaged store aside, once the user wants it and has been told.
func (s *serveCommand) mend(damage *store.CorruptError) error {
	if !s.moveCorrupt {
		return &hintedError{damage, "coder serve --move-corrupt moves it aside and begins a new one; nothing is deleted"}
	}
	fmt.Fprintf(s.app.stderr, "%v\nmoving it aside\n", damage)
	moved, err := store.MoveAside(s.config.DataDir, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(s.app.stderr, "the damaged store is now %s\n", moved)
	return nil
}
