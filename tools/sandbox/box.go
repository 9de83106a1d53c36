package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Options say what a Box must know of the machine and its user. All paths are absolute.
type Options struct {
	Home    string   // the user's; its secrets are hidden
	Private []string // coder's own folders: config, data with the token, runtime. Nothing of them can be read or written
	Cache   string   // coder's own cache folder, for the caches of commands; "": they have none
	Umask   int      // of the commands; 0 means that of this process
}

// A Box bounds commands. Its level was found out by Test and does not change: when a bound can no longer be applied,
// commands do not run. A nil Box bounds nothing.
type Box struct {
	options Options
	report  Report
	granted granted
}

// New returns the Box that the report found to work.
func New(o Options, r Report) *Box { return &Box{options: o, report: r} }

// Level is 0 to 3: how much the box holds.
func (b *Box) Level() int {
	if b == nil {
		return LevelNone
	}
	return b.report.Level
}

// Name says the level in words for people.
func (b *Box) Name() string { return levelNames[b.Level()] }

// The levels, from nothing to all of it.
const (
	LevelNone     = 0
	LevelSeatbelt = 1
	LevelLandlock = 2
	LevelFull     = 3
)

var levelNames = [...]string{
	LevelNone:     "none",
	LevelSeatbelt: "macOS Seatbelt",
	LevelLandlock: "Landlock and system call filter, without namespaces",
	LevelFull:     "namespaces, Landlock and system call filter",
}

// Bounds are those of one command. The paths are absolute and must exist.
type Bounds struct {
	Workdir string   // may be changed
	Roots   []string // may be changed, too
	Scratch string   // the session's folder: may be read; its folder tmp is the command's TMPDIR, and /tmp at level 3
	Network bool     // that of the machine is open
	Lasting bool     // it may run for long, and leaves the caches that are warmest to others
	Shared  *Network // the loopback that it shares, when Network is closed; nil: it has one of its own
}

// A LayerError says that a bound could not be applied: the command did not run.
type LayerError struct{ Why string }

func (e *LayerError) Error() string {
	return "the sandbox could not be applied, and the command did not run: " + e.Why
}

// Hint says how to go on.
func (e *LayerError) Hint() string {
	return "coder stop, and start again: the sandbox is tested anew; coder doctor shows what it finds"
}

// A PlaceError says that a workdir is among what the sandbox hides.
type PlaceError struct{ Workdir, Hidden string }

func (e *PlaceError) Error() string {
	return fmt.Sprintf("%s is in %s, which the sandbox hides from commands", e.Workdir, e.Hidden)
}

// Hint says how to go on.
func (e *PlaceError) Hint() string { return "work in another folder, or run the command unsandboxed" }

// Run runs the command within the bounds, and is otherwise as the function Run. A bound that cannot be applied is a
// *LayerError. A protected file that the command made or changed is moved aside.
func (b *Box) Run(ctx context.Context, c Command, bounds Bounds) (Outcome, error) {
	j, err := b.Start(ctx, c, bounds)
	if err != nil {
		return Outcome{}, err
	}
	return j.within(ctx, c.Timeout)
}

// Start starts the command within the bounds, and is otherwise as the function Start. What Run says of errors and of
// protected files holds for the end of the job.
func (b *Box) Start(ctx context.Context, c Command, bounds Bounds) (*Job, error) {
	if b.Level() == LevelNone {
		return Start(ctx, c)
	}
	p, done, err := b.policy(c, bounds)
	if err != nil {
		return nil, err
	}
	before := takeStock(p)
	c.Env = p.Env
	j, err := begin(ctx, c, func(cmd *exec.Cmd) (tree, error) { return launch(cmd, p) }, func(out *Outcome, err error) error {
		defer done()
		if layer := (*LayerError)(nil); errors.As(err, &layer) {
			b.report.forget()
			return err
		}
		var moveErr error
		out.Moved, moveErr = before.settle(filepath.Join(bounds.Scratch, "aside"), b.granted.holds)
		return errors.Join(err, moveErr)
	})
	if err != nil {
		done()
	}
	return j, err
}

// policy makes the bounds exact: real paths, what is protected and hidden in them. done must be called at the end of the
// command.
func (b *Box) policy(c Command, bounds Bounds) (p policy, done func(), err error) {
	p = policy{Level: b.Level(), Argv: c.Argv, Dir: c.Dir, Umask: -1, Network: bounds.Network, Terminal: c.PTY}
	if !bounds.Network && bounds.Shared != nil {
		p.shared, p.Shared = bounds.Shared, true
	}
	if b.options.Umask != 0 {
		p.Umask = b.options.Umask
	}
	workdir, err := filepath.EvalSymlinks(bounds.Workdir)
	if err != nil {
		return p, nil, fmt.Errorf("sandbox: the workdir: %w", err)
	}
	p.guarded = []string{workdir}
	for _, root := range bounds.Roots {
		if root, err = filepath.EvalSymlinks(root); err != nil {
			return p, nil, fmt.Errorf("sandbox: a further folder: %w", err)
		}
		p.guarded = append(p.guarded, root)
	}
	p.Writable = slices.Clone(p.guarded)
	if p.Hidden, err = b.hidden(c.Env, workdir); err != nil {
		return p, nil, err
	}
	env := slices.Clone(c.Env)
	if bounds.Scratch != "" {
		if err := p.share(bounds.Scratch); err != nil {
			return p, nil, err
		}
		env = append(env, "TMPDIR="+p.Tmp)
	}
	b.show(&p, env)
	set, done, err := b.caches(&p, env, workdir, bounds.Lasting)
	if err != nil {
		return p, nil, err
	}
	env = append(env, set...)
	if p.Level < LevelFull {
		p.marker = "CODER_CALL=" + rand.Text()
		env = append(env, p.marker)
	}
	p.Env = env
	p.home = b.options.Home
	var protected []string
	p.watched, protected, p.Pinned = guard(p.guarded, p.home)
	p.Protected = slices.DeleteFunc(append(p.Protected, protected...), func(path string) bool {
		return slices.ContainsFunc(p.Hidden, func(h string) bool { return within(h, path) }) // nothing of it is there to change
	})
	return p, done, nil
}

// share lets the command read the session's folder, and write to its tmp.
func (p *policy) share(scratch string) error {
	scratch, err := filepath.EvalSymlinks(scratch)
	if err != nil {
		return fmt.Errorf("sandbox: the session's folder: %w", err)
	}
	p.Tmp = filepath.Join(scratch, "tmp")
	if err := os.MkdirAll(p.Tmp, 0o700); err != nil {
		return fmt.Errorf("sandbox: the folder for temporary files: %w", err)
	}
	p.Shown = append(p.Shown, scratch)
	p.Writable = append(p.Writable, p.Tmp)
	return nil
}

// show keeps in view what is beneath /tmp, which a /tmp of the command's own would cover: the home,
// folders of programs, and the folder to run in.
func (b *Box) show(p *policy, env []string) {
	for _, path := range append(filepath.SplitList(Getenv(env, "PATH")), b.options.Home, p.Dir) {
		real, err := filepath.EvalSymlinks(path)
		if err == nil && filepath.IsAbs(real) && real != "/tmp" && within("/tmp", real) && isFolder(real) {
			p.Shown = append(p.Shown, real)
		}
	}
}

// hidden lists what the command must not see: the user's secrets and coder's own folders, as far as they exist. A home
// that the environment names counts as well.
func (b *Box) hidden(env []string, workdir string) ([]string, error) {
	var list []string
	add := func(path string) {
		if real, err := filepath.EvalSymlinks(path); err == nil && !slices.ContainsFunc(list, func(h string) bool { return within(h, real) }) {
			list = append(list, real)
		}
	}
	for _, path := range b.options.Private {
		add(path)
	}
	homes := []string{b.options.Home}
	if home := Getenv(env, "HOME"); filepath.IsAbs(home) && home != b.options.Home {
		homes = append(homes, home)
	}
	for _, home := range homes {
		for _, name := range secrets {
			if home != "" {
				add(filepath.Join(home, filepath.FromSlash(name)))
			}
		}
	}
	if os.Geteuid() == 0 {
		for _, path := range machineSecrets {
			add(path)
		}
	}
	if dir := Getenv(env, "XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		add(dir)
	}
	for _, h := range list {
		if within(h, workdir) {
			return nil, &PlaceError{Workdir: workdir, Hidden: h}
		}
	}
	return list, nil
}

// secrets are what of a home no command needs to see: keys, tokens and passwords, and what reaches them.
var secrets = []string{
	".ssh", ".gnupg", ".aws", ".azure", ".config/gcloud", ".kube", ".docker/config.json", ".config/containers/auth.json", ".netrc", "_netrc", ".pgpass", ".my.cnf",
	".config/gh", ".config/hub", ".config/glab-cli", ".config/coder", ".config/op", ".config/rclone", ".config/doctl", ".git-credentials", ".config/git/credentials",
	".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", ".pypirc", ".terraform.d/credentials.tfrc.json", ".vault-token", ".password-store",
	".local/share/keyrings", ".local/share/kwalletd", ".pki", ".mozilla", ".thunderbird", ".config/google-chrome", ".config/chromium",
	".config/BraveSoftware", ".config/microsoft-edge", ".config/vivaldi", ".config/opera", "snap/firefox", "snap/chromium", ".var/app",
	".config/github-copilot", ".codex/auth.json", ".claude/.credentials.json", ".gemini/oauth_creds.json", ".local/share/opencode/auth.json",
	".cache/huggingface/token", ".pulumi/credentials.json", ".oci", ".s3cfg", ".boto", ".fly", ".config/hcloud", ".config/sops", ".bitcoin", ".ethereum", ".electrum",
	".bash_history", ".zsh_history", ".python_history", ".psql_history", ".mysql_history", ".node_repl_history", ".local/share/fish/fish_history",
	"Library/Keychains", "Library/Cookies", "Library/Application Support/Google/Chrome", "Library/Application Support/Firefox",
}

// machineSecrets are those of the machine that a host which runs as root could read.
var machineSecrets = []string{"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssl/private", "/etc/sudoers", "/etc/sudoers.d", "/run/secrets", "/run/credentials"}
