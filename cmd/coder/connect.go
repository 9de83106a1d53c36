package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/coder-agent/coder/agent/secret"
	"github.com/coder-agent/coder/server/client"
)

const (
	connectTimeout = 30 * time.Second // a host that ends takes 10 s, one that starts well under 1 s
	slowConnect    = time.Second      // after this the user hears what we wait for
)

// A connector finds the host of a data dir, or starts one.
type connector struct {
	app         *app
	config      config
	idle        time.Duration                  // of a host that it starts; 0: it ends with its last client
	keyless     bool                           // the host that it starts will ask no model
	hold        bool                           // the host that it starts leaves schedules to the next: it is there for one command
	anyProvider bool                           // whatever provider a running host asks will do: the command sends no prompt
	started     bool                           // the host is one that it started
	found       func(h hostFile, started bool) // is told which host is there at each connect; nil: nobody is
	warned      bool                           // the user knows that the running host is not quite theirs
}

// address is client.Options.Host: it is called at each connect and reconnect.
func (c *connector) address(ctx context.Context) (client.Address, error) {
	before := c.started
	c.started = false
	h, err := c.host(ctx)
	if err == nil && c.found != nil {
		c.found(h, c.started)
	}
	c.started = c.started || before
	return client.Address{Addr: h.Addr, Token: h.Token}, err
}

// host returns the host of the data dir. Several callers at once, in several processes, get the same one.
func (c *connector) host(ctx context.Context) (hostFile, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, errors.New("timed out"))
	defer cancel()
	patience := time.AfterFunc(slowConnect, func() { fmt.Fprintln(c.app.stderr, "waiting for the host to be ready") })
	defer patience.Stop()
	for {
		h, _, ok, err := running(ctx, c.config.DataDir)
		if err != nil {
			return hostFile{}, fmt.Errorf("looking for a host: %w", err)
		}
		if ok {
			replaced, err := c.compare(ctx, h)
			if err != nil || !replaced {
				return h, err
			}
		}
		if h, err := c.start(ctx); err != nil || h.Addr != "" {
			return h, err
		}
	}
}

// compare judges a running host. One that nobody uses and that a command started is ended when it is of another version
// or provider, so that the next is ours. Else another version is worth a note, but to another provider no prompt goes.
func (c *connector) compare(ctx context.Context, h hostFile) (replaced bool, err error) {
	if h.KeyHash == keyHash(h.Salt, "", h.BaseURL) && !c.anyProvider {
		if err := c.app.findKey(ctx, &c.config); err != nil { // it was started for one command that asks no model
			return false, err
		}
	}
	foreign, differs := c.foreign(h), c.difference(h)
	if foreign == nil && differs == "" {
		return false, nil
	}
	if h.Detached && c.config.Host == hostAuto && c.hasKey(ctx) == nil {
		if replaced, err = c.replace(ctx, h, foreign != nil); replaced || err != nil {
			return replaced, err
		}
	}
	if foreign != nil {
		return false, foreign
	}
	if !c.warned {
		c.warned = true
		fmt.Fprintf(c.app.stderr, "note: the running host has %s; it stays because it is in use (coder stop ends it)\n", differs)
	}
	return false, nil
}

// busyPatience is how long a prompt for another provider waits for the runs of others to end: most are short.
const busyPatience = 3 * time.Second

// replace ends the host if nobody uses it. While it is in use a patient caller asks again: nobody tells when it is free.
func (c *connector) replace(ctx context.Context, h hostFile, patient bool) (replaced bool, err error) {
	enough := time.NewTimer(busyPatience)
	defer enough.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if replaced, err = h.stopIdle(ctx); replaced || err != nil || !patient {
			return replaced, err
		}
		select {
		case <-again.C:
		case <-enough.C:
			return false, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// difference says what of the host is worth a note.
func (c *connector) difference(h hostFile) string {
	switch {
	case h.Hold && !c.hold:
		return "its schedules held back, for one command"
	case h.Version != version():
		return fmt.Sprintf("version %s, this is %s", h.Version, version())
	case h.RulesHash != rulesHash(c.config.Rules):
		return "other rules than your config file has now"
	}
	return ""
}

// foreign says that the host asks another provider than the user wants, or with another key. Who has chosen neither
// takes what there is.
func (c *connector) foreign(h hostFile) error {
	who := fmt.Sprintf("the running host (process %d)", h.PID)
	const do = "end it with: coder stop; see what it does with: coder status; or choose another --data-dir"
	switch {
	case c.anyProvider || !c.config.choosesProvider() && c.config.Kept == "":
		return nil
	case h.BaseURL != c.config.BaseURL:
		return &hintedError{fmt.Errorf("%s sends prompts to %s, and you chose %s", who, h.BaseURL, c.config.BaseURL), do}
	case c.config.key() != "" && h.KeyHash != keyHash(h.Salt, c.config.key(), c.config.BaseURL):
		yours := "your " + keyVar
		if c.config.Key == "" {
			yours = "the one that is kept"
		}
		return &hintedError{fmt.Errorf("%s uses another key for %s than %s", who, h.BaseURL, yours), do}
	}
	return nil
}

// An offer is what a client hands to the host that it starts, on stdin: nobody can read it there.
type offer struct {
	Key     string         `json:"key"`
	BaseURL string         `json:"baseURL"`
	Keyless bool           `json:"keyless,omitempty"` // do without a key: no model will be asked
	Hold    bool           `json:"hold,omitempty"`    // leave schedules to the next host
	Secrets []secret.Print `json:"secrets,omitempty"` // of what no tool may show; the values themselves stay with us
}

// A readiness is what a detached host says on stdout, once.
type readiness struct {
	Addr  string `json:"addr,omitempty"`
	Held  bool   `json:"held,omitempty"` // another host was faster
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// start starts a detached host and waits until it is ready. When another was faster it returns none.
func (c *connector) start(ctx context.Context) (hostFile, error) {
	if c.config.Host == hostManual {
		return hostFile{}, &hintedError{
			fmt.Errorf("no host serves %s, and the setting host is %q", c.config.DataDir, hostManual),
			"start one with: coder serve",
		}
	}
	if !c.keyless {
		if err := c.hasKey(ctx); err != nil {
			return hostFile{}, err
		}
	}
	cmd, err := c.command()
	if err != nil {
		return hostFile{}, err
	}
	said, err := launch(ctx, cmd, offer{c.config.key(), c.config.BaseURL, c.keyless, c.hold, c.app.secrets.Prints()})
	switch {
	case err != nil:
		return hostFile{}, fmt.Errorf("starting a host: %w", err)
	case said.Error != "":
		return hostFile{}, &hintedError{errors.New(said.Error), said.Hint}
	case said.Held:
		return hostFile{}, nil
	}
	c.started = true
	h, _, err := readHostFile(c.config.DataDir)
	if h.Addr != said.Addr {
		return hostFile{}, err // it has ended already
	}
	return h, err
}

// hasKey refuses to host without a key; it looks for one that is kept.
func (c *connector) hasKey(ctx context.Context) error {
	if err := c.app.findKey(ctx, &c.config); err != nil {
		return err
	}
	return c.config.checkKey()
}

// command is the same program as a host. Its environment does not hold the key.
func (c *connector) command() (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding our own program: %w", err)
	}
	cmd := exec.Command(exe, "serve", "--detached", "--data-dir", c.config.DataDir, "--addr", "127.0.0.1:0", "--idle", c.idle.String())
	cmd.Args[0] = "coder"
	cmd.Env = hostEnviron(c.app.environ(), c.config.PassEnv)
	cmd.Dir = filepath.Dir(c.config.DataDir) // not the user's folder, which they may want to remove
	if info, err := os.Stat(cmd.Dir); err != nil || !info.IsDir() {
		cmd.Dir = os.TempDir()
	}
	detach(cmd)
	return cmd, nil
}

// launch starts the host, hands the offer over and waits for the line that it says.
func launch(ctx context.Context, cmd *exec.Cmd, o offer) (readiness, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return readiness{}, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return readiness{}, err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return readiness{}, err
	}
	defer out.Close()
	var complaint bytes.Buffer // a process that dies early says why on stderr
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	if err := errors.Join(err, in.Close()); err != nil {
		return readiness{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = out.Close() }) // ends the reading
	defer stop()
	_, err = stdin.Write(append(line, '\n'))
	if err := errors.Join(err, stdin.Close(), cmd.Process.Release()); err != nil {
		return readiness{}, err
	}
	return listen(ctx, out, &complaint)
}

// listen reads lines until one is a readiness.
func listen(ctx context.Context, out *os.File, complaint *bytes.Buffer) (readiness, error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var said readiness
		if err := json.Unmarshal(lines.Bytes(), &said); err == nil {
			return said, nil
		}
		fmt.Fprintln(complaint, lines.Text())
	}
	if ctx.Err() != nil {
		return readiness{}, context.Cause(ctx)
	}
	return readiness{}, fmt.Errorf("it ended without a word: %s", bytes.TrimSpace(complaint.Bytes()))
}
