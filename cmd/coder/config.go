package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
)

const (
	// defaultModel answers when nobody chose a model. It is good with tools and fast enough to watch.
	defaultModel   = "anthropic/claude-sonnet-4.5"
	defaultBaseURL = "https://openrouter.ai/api/v1"

	keyVar = "OPENROUTER_API_KEY"
)

// A config is what flags, environment, config file and defaults say together, in this order of precedence.
type config struct {
	Model     string
	Mode      permission.Mode // "" leaves it to the command: auto in coder run, ask elsewhere
	DataDir   string          // absolute
	Addr      string          // host:port to listen on; port 0 takes a free one
	BaseURL   string          // of the provider
	Host      string          // hostAuto or hostManual
	MaxSteps  int             // model responses in one turn; 0 leaves it to the host
	MaxCost   float64         // US dollars in one turn; 0: no limit
	Idle      time.Duration   // a detached host ends after this time without clients and work
	PassEnv   []string        // further variables that the agent's commands may see
	OnAsk     string          // what becomes of calls that nobody decides on, as agent.ParseOnAsk reads it
	WebSearch string          // where web_search asks: "" nowhere, searchByProvider, or the URL of a SearXNG server
	Keep      agent.Retention // what of unused sessions is kept; zero: all
	Key       string          // of the provider, from the environment
	Kept      string          // of the provider, as coder login has kept it; "" until somebody has looked: see findKey

	Rules []permission.Rule // of the user; from the config file only

	origins map[string]origin // by setting
}

// What the host setting may be.
const (
	hostAuto   = "auto"   // commands start a host when none runs
	hostManual = "manual" // only coder serve starts one
)

// An origin says where a setting's value comes from.
type origin struct {
	Text string // the value as it was given
	From string // "flag --model", "env CODER_MODEL", "FILE:LINE", fromDefault
}

const fromDefault = "default"

// typed reports whether the value stands on the command line.
func (o origin) typed() bool { return strings.HasPrefix(o.From, "flag ") }

// A setting is one row of the table of settings.
type setting struct {
	name  string // in the config file and in the output of coder config
	flag  string // "" has none
	env   string
	value func() string // the default
	usage string
	set   func(*config, string) error
}

func constant(s string) func() string { return func() string { return s } }

// settings is the one table of what can be configured.
var settings = []setting{
	{
		"model", "model", "CODER_MODEL", constant(defaultModel), "model id at the provider",
		func(c *config, s string) error { c.Model = s; return nonEmpty(s) },
	},
	{
		"mode", "mode", "CODER_MODE", constant(""), "permission mode: " + strings.Join(permission.Names(), ", "),
		func(c *config, s string) (err error) {
			if s != "" {
				c.Mode, err = permission.ParseMode(s)
			}
			return err
		},
	},
	{
		"dataDir", "data-dir", "CODER_DATA_DIR", defaultDataDir, "folder of the sessions",
		func(c *config, s string) (err error) {
			if s, err = homePath(s); err == nil {
				c.DataDir, err = filepath.Abs(s)
			}
			return err
		},
	},
	{
		"addr", "addr", "CODER_ADDR", constant("127.0.0.1:0"), "address that coder serve listens on",
		func(c *config, s string) error { c.Addr = s; return nonEmpty(s) },
	},
	{
		"baseURL", "", "OPENROUTER_BASE_URL", constant(defaultBaseURL), "base URL of the provider's API",
		func(c *config, s string) error { c.BaseURL = strings.TrimRight(s, "/"); return checkBaseURL(s) },
	},
	{
		"host", "", "CODER_HOST", constant(hostAuto), "auto: commands start a host when none runs; manual: only coder serve does",
		func(c *config, s string) error {
			c.Host = s
			if s != hostAuto && s != hostManual {
				return fmt.Errorf("%q is neither %s nor %s", s, hostAuto, hostManual)
			}
			return nil
		},
	},
	{
		"maxSteps", "max-steps", "CODER_MAX_STEPS", constant("100"), "model responses in one turn; 0: the host's own limit",
		func(c *config, s string) (err error) {
			c.MaxSteps, err = strconv.Atoi(s)
			if err != nil || c.MaxSteps < 0 {
				return fmt.Errorf("%q is not a number of steps", s)
			}
			return nil
		},
	},
	{
		"maxCost", "max-cost", "CODER_MAX_COST", constant("0"), "US dollars that a turn may cost, as the provider reports it; 0: no limit",
		func(c *config, s string) (err error) {
			c.MaxCost, err = strconv.ParseFloat(s, 64)
			if err != nil || c.MaxCost < 0 || math.IsNaN(c.MaxCost) || math.IsInf(c.MaxCost, 0) {
				return fmt.Errorf("%q is not an amount of US dollars such as 0.50", s)
			}
			return nil
		},
	},
	{
		"onAsk", "on-ask", "CODER_ON_ASK", constant("park"), "what becomes of calls that nobody decides on: park (they wait), deny, or deny after a time, such as deny:30m",
		func(c *config, s string) error {
			after, err := agent.ParseOnAsk(s)
			c.OnAsk = agent.FormatOnAsk(after)
			return err
		},
	},
	{
		"idle", "idle", "CODER_IDLE", constant("10m"), "a detached host ends after this time without clients and work",
		func(c *config, s string) (err error) {
			c.Idle, err = time.ParseDuration(s)
			if err != nil || c.Idle < 0 {
				return fmt.Errorf("%q is not a duration such as 10m", s)
			}
			return nil
		},
	},
	{
		"passEnv", "", "CODER_PASS_ENV", constant(""), "further environment variables for the agent's commands, comma-separated",
		func(c *config, s string) error {
			c.PassEnv = strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
			return nil
		},
	},
	{
		"webSearch", "", "CODER_WEB_SEARCH", constant(""), "where web_search asks: openrouter, openrouter:MODEL, or the URL of a SearXNG server; empty: there is no such tool",
		setWebSearch,
	},
	{
		"keepDays", "", "CODER_KEEP_DAYS", constant("0"), "the host deletes sessions that nobody has used for so many days; 0: none",
		func(c *config, s string) error {
			days, err := bound(s, 36_500)
			c.Keep.Unused = time.Duration(days) * 24 * time.Hour
			return err
		},
	},
	{
		"keepSessions", "", "CODER_KEEP_SESSIONS", constant("0"), "the host keeps so many sessions, the last used first; 0: all",
		func(c *config, s string) (err error) {
			c.Keep.Count, err = bound(s, math.MaxInt32)
			return err
		},
	},
	{
		"keepMB", "", "CODER_KEEP_MB", constant("0"), "the host keeps so many MB of messages, the last used sessions first; 0: all",
		func(c *config, s string) error {
			mb, err := bound(s, math.MaxInt32)
			c.Keep.Bytes = int64(mb) * 1e6
			return err
		},
	},
}

// bound reads a whole number from 0 to most.
func bound(s string, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%q is not a whole number from 0 to %d", s, most)
	}
	return n, nil
}

// homePath resolves ~, which no shell does in a file, after = or in quotes: a folder of that name is what nobody wants.
func homePath(s string) (string, error) {
	rest, ok := strings.CutPrefix(s, "~")
	switch {
	case s == "":
		return "", nonEmpty(s)
	case !ok:
		return s, nil
	case rest != "" && !os.IsPathSeparator(rest[0]):
		return "", &hintedError{fmt.Errorf("%q is the home of somebody else, which coder does not look up", s), "write the whole path, or ./" + s}
	}
	return filepath.Join(xdg.Home, rest), nil
}

func nonEmpty(s string) error {
	if s == "" {
		return errors.New("it must not be empty")
	}
	return nil
}

// defaultDataDir is the user's data folder. xdg has read XDG_DATA_HOME and the home folder when the process began.
func defaultDataDir() string { return filepath.Join(xdg.DataHome, "coder") }

// configFile is where the user's config file may be.
func configFile() string { return filepath.Join(xdg.ConfigHome, "coder", "config.json") }

// addFlags gives cmd the flags of the named settings.
func addFlags(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		for _, s := range settings {
			if s.name == name {
				cmd.Flags().String(s.flag, "", s.usage+" (env "+s.env+")")
				switch name {
				case "mode":
					completeFlag(cmd, s.flag, completeModes)
				case "onAsk":
					completeFlag(cmd, s.flag, completeOnAsk)
				case "dataDir":
					completeFlag(cmd, s.flag, completeFolders)
				}
			}
		}
	}
}

// config resolves all settings for cmd.
func (a *app) config(cmd *cobra.Command) (config, error) {
	c, wrong := a.resolve(cmd)
	if len(wrong) > 0 {
		return config{}, wrong[0]
	}
	return c, nil
}

// usable is config for commands that need little of it: what is wrong they say, and go on with the default. Only the data
// dir must be right, for they would act on another one.
func (a *app) usable(cmd *cobra.Command) (config, error) {
	c, wrong := a.resolve(cmd)
	if c.DataDir == "" || slices.ContainsFunc(wrong, isUsage) {
		return config{}, wrong[len(wrong)-1]
	}
	for _, err := range wrong {
		fmt.Fprintf(a.stderr, "note: %s\n", plain.Text(err.Error()))
	}
	if len(wrong) > 0 {
		fmt.Fprintf(a.stderr, "note: going on with the data dir %s\n", c.DataDir)
	}
	return c, nil
}

func isUsage(err error) bool {
	_, ok := errors.AsType[*usageError](err)
	return ok
}

// resolve resolves the settings as far as they are right: what is wrong keeps its default, but for a wrong data dir, which
// is "" and the last of what is wrong.
func (a *app) resolve(cmd *cobra.Command) (config, []error) {
	file, rules, wrong := readConfigFile(configFile())
	c := config{Key: strings.TrimSpace(a.getenv(keyVar)), Rules: rules, origins: make(map[string]origin, len(settings))}
	a.secrets.AddKey(keyVar, c.Key)
	var dataDir error
	for _, s := range settings {
		from := a.lookup(cmd, s, file)
		err := s.set(&c, from.Text)
		if err == nil && s.name == "mode" && !from.typed() {
			err = onlyTyped(&c)
		}
		if err == nil && s.name == "dataDir" && from == file[s.name] {
			err = lasting(from.Text)
		}
		if err == nil {
			c.origins[s.name] = from
			continue
		}
		err = fmt.Errorf("config: %s (%s): %w", s.name, from.From, err)
		if from.typed() {
			err = &usageError{Err: err, Command: cmd.CommandPath()}
		}
		if s.name == "dataDir" {
			dataDir, c.DataDir, c.origins[s.name] = err, "", from
			continue
		}
		wrong = append(wrong, err)
		c.origins[s.name] = origin{s.value(), fromDefault}
		if err := s.set(&c, s.value()); err != nil {
			panic(err) // a default of ours
		}
	}
	if dataDir != nil {
		wrong = append(wrong, dataDir)
	}
	return c, wrong
}

// onlyTyped refuses the mode that no setting chooses: who asks for nothing to be asked types it.
func onlyTyped(c *config) error {
	if c.Mode != permission.ModeFull {
		return nil
	}
	c.Mode = ""
	return &hintedError{errors.New("mode full is no setting"), "type it for a new session: coder run --mode full"}
}

func (a *app) lookup(cmd *cobra.Command, s setting, file map[string]origin) origin {
	if s.flag != "" {
		if f := cmd.Flags().Lookup(s.flag); f != nil && f.Changed {
			return origin{f.Value.String(), "flag --" + s.flag}
		}
	}
	if v := a.getenv(s.env); v != "" {
		return origin{v, "env " + s.env}
	}
	if v, ok := file[s.name]; ok {
		return v
	}
	return origin{s.value(), fromDefault}
}

// checkBaseURL lets the key travel only where nobody can listen: over TLS, or to this machine.
func checkBaseURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case s != "" && !strings.Contains(s, "://"):
		return withoutScheme(s)
	case err != nil:
		return err
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%q is not an http or https URL", s)
	case u.User != nil:
		return &hintedError{errors.New("it holds a name or a password, which would be shown wherever the URL is"), "give the key as " + keyVar}
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return &hintedError{fmt.Errorf("%s would send prompts and key unencrypted", s), "use https; http is for servers on this machine only"}
	}
	return nil
}

// withoutScheme says how the URL is written in full.
func withoutScheme(s string) error {
	scheme, path := "https://", ""
	if u, err := url.Parse("http://" + s); err == nil {
		if isLoopback(u.Hostname()) {
			scheme = "http://"
		}
		if strings.Trim(u.Path, "/") == "" {
			s, path = u.Host, "/v1"
		}
	}
	return &hintedError{fmt.Errorf("%q is not an http or https URL", s), "write " + scheme + s + path}
}

// isLoopback reports whether host names this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// A KeyError says that no API key is set.
type KeyError struct{ Var string }

func (e *KeyError) Error() string { return e.Var + " is not set, and no key is kept" }

// Hint says where to get a key.
func (e *KeyError) Hint() string {
	return "log in with: coder login; or create a key at https://openrouter.ai/keys, then: export " + e.Var +
		"=sk-or-...; a model server on this machine needs none: export OPENROUTER_BASE_URL=http://127.0.0.1:PORT/v1"
}

// checkKey refuses to host without a key, unless the provider is a server on this machine.
func (c config) checkKey() error {
	if u, err := url.Parse(c.BaseURL); c.key() == "" && (err != nil || !isLoopback(u.Hostname())) {
		return &KeyError{Var: keyVar}
	}
	return nil
}

// key is what the host sends to the provider.
func (c config) key() string { return cmp.Or(c.Key, c.Kept) }

// choosesProvider reports whether the user has said who shall answer, or with what key.
func (c config) choosesProvider() bool {
	return c.Key != "" || c.origins["baseURL"].From != fromDefault
}
