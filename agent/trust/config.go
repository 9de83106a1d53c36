package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
)

// Bounds of what a folder may ask for.
const (
	maxRules    = 100
	maxRule     = 512 // bytes of one
	maxSettings = 32
	maxShown    = 32  // servers
	maxText     = 200 // characters of what is shown of a server or a setting
	maxProblem  = 800 // characters of what is said of a problem: it may quote a rule
)

// refused are the settings that no project may choose, in lower case: they say where prompts and the key go, what the
// agent may do, and what its commands see.
var refused = []string{
	"addr", "allowedorigins", "alloworigin", "alloworigins", "apikey", "baseurl", "datadir", "env", "environ", "environment",
	"headers", "host", "idle", "keepdays", "keepmb", "keepsessions", "key", "listen", "maxcost", "maxsteps", "mode", "model",
	"models", "origins", "passenv", "provider", "providers", "proxy", "sandbox", "statedir", "telemetry", "token", "trust",
}

// readConfig reads the project's own config file: JSON with comments, of which only the rules count.
func (f *Folder) readConfig(root *os.Root, tools []string) {
	data, there, err := readFile(root, ConfigFile, maxConfig+1)
	switch {
	case !there:
		return
	case err != nil:
		f.problem(ConfigFile, 0, true, "its rules cannot be read: %v", err)
		return
	case len(data) > maxConfig:
		f.problem(ConfigFile, 0, true, "its rules cannot be read: it has more than %d KiB", maxConfig>>10)
		return
	}
	f.parseConfig(data, tools)
}

func (f *Folder) parseConfig(data []byte, tools []string) {
	if err := checkDepth(data); err != nil {
		f.problem(ConfigFile, 0, true, "its rules cannot be read: %v", err)
		return
	}
	value, err := hujson.Parse(data)
	if err != nil {
		line, text := syntax(err)
		f.problem(ConfigFile, line, true, "its rules cannot be read: %s", text)
		return
	}
	object, ok := value.Value.(*hujson.Object)
	if !ok {
		f.problem(ConfigFile, 0, true, "its rules cannot be read: it does not hold a JSON object")
		return
	}
	settings := 0
	for _, m := range object.Members {
		name := m.Name.Value.(hujson.Literal).String()
		line := lineOf(data, m.Name.StartOffset)
		if name == "rules" {
			f.readRules(data, line, m.Value.Value, tools)
			continue
		}
		kind := Setting
		if slices.Contains(refused, strings.ToLower(name)) {
			kind = Refused
		}
		if settings++; settings <= maxSettings {
			f.Wants = append(f.Wants, Want{Kind: kind, Path: ConfigFile, Line: line, Text: clip(plain.Visible(name), maxText)})
		}
	}
	if settings > maxSettings {
		f.problem(ConfigFile, 0, false, "%d more settings are not listed", settings-maxSettings)
	}
	f.pinRules()
}

// readRules reads the list of rules. One about none of the tools would do nothing in silence.
func (f *Folder) readRules(data []byte, line int, v hujson.ValueTrimmed, tools []string) {
	list, ok := v.(*hujson.Array)
	if !ok {
		f.problem(ConfigFile, line, true, "the rules must be a list of strings")
		return
	}
	for _, element := range list.Elements {
		line := lineOf(data, element.StartOffset)
		literal, ok := element.Value.(hujson.Literal)
		if !ok || literal.Kind() != '"' {
			f.problem(ConfigFile, line, true, "a rule must be a string")
			continue
		}
		if len(f.rules) == maxRules {
			f.problem(ConfigFile, line, true, "it has more than %d rules", maxRules)
			return
		}
		f.readRule(line, literal.String(), tools)
	}
}

func (f *Folder) readRule(line int, text string, tools []string) {
	if len(text) > maxRule {
		f.problem(ConfigFile, line, true, "the rule has more than %d bytes", maxRule)
		return
	}
	if countHidden(text) > 0 {
		f.problem(ConfigFile, line, true, `the rule "%s" has a character that cannot be seen`, plain.Visible(text))
		return
	}
	from := fmt.Sprintf("%s:%d", ConfigFile, line)
	rule, err := permission.ParseRule(text, from)
	if err != nil {
		what := strings.TrimPrefix(err.Error(), from+": ") // the problem names the place in full
		if hinted, ok := errors.AsType[interface {
			error
			Hint() string
		}](err); ok {
			what += "; " + hinted.Hint()
		}
		f.problem(ConfigFile, line, true, "%s", what)
		return
	}
	if tools != nil && !slices.Contains(tools, rule.Tool) {
		f.problem(ConfigFile, line, true, "the rule %q is about a tool that there is not: %s", text, rule.Tool)
		return
	}
	f.rules = append(f.rules, rule)
	f.Wants = append(f.Wants, Want{Kind: Rule, Path: ConfigFile, Line: line, Text: rule.String()})
}

// pinRules makes all rules one part: a rule that allows was accepted beside those that narrow it.
func (f *Folder) pinRules() {
	if len(f.rules) == 0 {
		return
	}
	var text strings.Builder
	for _, r := range f.rules {
		text.WriteString(r.String() + "\n")
	}
	f.Parts = append(f.Parts, newPart(Rule, ConfigFile, text.String()))
}

func lineOf(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte("\n")) }

// syntax takes the place out of an error of hujson's.
func syntax(err error) (line int, text string) {
	text = err.Error()
	var column int
	if n, _ := fmt.Sscanf(text, "hujson: line %d, column %d:", &line, &column); n == 2 {
		_, text, _ = strings.Cut(text, ": ")
		_, text, _ = strings.Cut(text, ": ")
	}
	return line, text
}

// A server is what .mcp.json says of one. Of its environment only the names matter here; the values may be secrets.
type server struct {
	Command string                     `json:"command"`
	Args    []string                   `json:"args"`
	Env     map[string]json.RawMessage `json:"env"`
	URL     string                     `json:"url"`
}

// readServers lists the MCP servers that the folder wants. They are named, and nothing more.
func (f *Folder) readServers(root *os.Root) {
	data, there, err := readFile(root, ServersFile, maxServers+1)
	if !there {
		return
	}
	var file struct {
		Servers map[string]server `json:"mcpServers"`
	}
	switch {
	case err != nil:
	case len(data) > maxServers:
		err = fmt.Errorf("it has more than %d KiB", maxServers>>10)
	default:
		err = checkDepth(data)
	}
	if err == nil {
		data, err = hujson.Standardize(data)
	}
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil {
		f.problem(ServersFile, 0, false, "it cannot be read: %v", err)
		return
	}
	f.listServers(file.Servers)
}

func (f *Folder) listServers(servers map[string]server) {
	names := make([]string, 0, len(servers))
	for name := range servers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), maxShown)] {
		s := servers[name]
		f.Wants = append(f.Wants, Want{
			Kind: Server, Path: ServersFile, Text: clip(plain.Visible(name+": "+s.does()), maxText), ID: s.id(f.Path),
		})
	}
	if more := len(names) - maxShown; more > 0 {
		f.problem(ServersFile, 0, false, "%d more servers are not listed", more)
	}
}

// does is what the server's entry would do: its URL, or its command in one line.
func (s server) does() string {
	if s.URL != "" {
		return s.URL
	}
	return strings.Join(append([]string{s.Command}, s.Args...), " ")
}

// id identifies the server: one that would run or reach anything else has another.
func (s server) id(folder string) string {
	if s.URL != "" {
		return newPart(Server, "", "url\x00"+s.URL).Hash
	}
	env := make([]string, 0, len(s.Env))
	for name := range s.Env {
		env = append(env, name)
	}
	slices.Sort(env)
	data, err := json.Marshal([]any{folder, s.Command, s.Args, env})
	if err != nil {
		panic(fmt.Sprintf("trust: a server: %v", err)) // strings
	}
	return newPart(Server, "", "command\x00"+string(data)).Hash
}

// clip makes a text one line of at most so many characters.
func clip(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
