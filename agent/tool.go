package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// A Tool is something the model may use. Make one with NewTool.
type Tool struct {
	Name        string // at most 64 of A-Z a-z 0-9 _ -
	Description string
	Effect      permission.Effect
	Schema      *jsonschema.Schema // of the arguments; draft 7

	// Models says to which models, by id, the tool is offered; nil: to all. It depends on nothing but the id, so that the
	// tools of a session change only with its model. A call of a tool that is not offered runs all the same: the
	// transcript may hold calls that another model made, which this one imitates.
	Models func(id string) bool

	// Backend is the URL that all calls of the tool ask, from the user's own config: "" is none. The policy judges its host, which
	// may be one of this machine.
	Backend string

	Looks bool // it is offered to children that explore: it changes nothing, or they may not use what does
	Tasks bool // its calls give tasks to children. It is not offered to those that may have none

	// Resumes says that a call which had started when its host died is run again under its id: what it began is durable, and
	// the tool finds it there.
	Resumes bool

	run    func(ctx context.Context, input json.RawMessage) (Result, error)
	asks   func(input json.RawMessage) []chat.Ask // nil: the tool asks nothing
	action func(input json.RawMessage) (Action, error)
	show   func(input json.RawMessage, find func(path string) string) string
}

// A Result is what a tool gives back. Text is for the model; Details is for front-ends and may be any JSON value.
type Result struct {
	Text     string
	Details  any
	Files    []chat.FileSeen // whole files that the model has now seen or written
	Told     []string        // folders whose own instructions Text names; see CoderAgent.Untold
	Todo     []chat.Todo     // the todo list as it now is; nil leaves it
	Usage    chat.Usage      // what the call has cost itself; it counts for the turn, its budget and the session
	Pictures []Picture       // for the model, beside Text; see CoderAgent.Blind
	Exit     *int            // of a command, for the audit log; nil: it ran none, or none that ended
}

// An Action is what a call would do, told before it does it: for the policy and for people.
type Action struct {
	Summary string   // one line, such as the command or the path; no tool name
	Reads   []string // paths as the model gave them
	Writes  []string
	Command string
	Typed   bool   // Command is no command, but typed to one that runs
	Workdir string // of the command, as the model gave it; "" is the session's
	URL     string // with Network

	Network     bool // the model asks for the network of the machine
	Unsandboxed bool // it asks to run outside the sandbox

	Effect permission.Effect // of this call, when it has less than the tool's; "" is the tool's
	Alone  bool              // it runs in its turn, beside no other call, although its tool only reads
}

// An Actor is an argument type that can tell what the call would do. Without it a call has no paths and no command,
// and its summary is the beginning of its arguments.
type Actor interface{ Action() Action }

// A Shower is an argument type that can show the whole of what the call would do, to the person who decides on it: the
// command, what changes in a file. find gives the file that a path of the model means. It may read files, and shows what
// it can when they are not there. Without it the arguments are shown.
type Shower interface {
	Show(find func(path string) string) string
}

// An Asker is an argument type that asks the user something. A call of such a tool is not run: it waits for the answer of any
// client, and that is its result. Run is for sessions where nobody answers.
type Asker interface{ Asks() []chat.Ask }

// NewTool returns a tool whose arguments are an Args, a struct with json and jsonschema tags. The schema is derived
// from Args. An error that run returns is written for the model and ends only the call: it says what to try next. Run
// reaches its agent with FromContext. NewTool panics when Args has no schema: a bug in our own wiring.
func NewTool[Args any](name string, e permission.Effect, desc string, run func(context.Context, Args) (Result, error)) Tool {
	schema, err := jsonschema.For[Args](nil)
	if err != nil {
		panic(fmt.Sprintf("agent: the arguments of tool %s: %v", name, err))
	}
	t := Tool{
		Name: name, Description: desc, Effect: e, Schema: schema,
		run: func(ctx context.Context, input json.RawMessage) (Result, error) {
			args, err := decodeArgs[Args](input)
			if err != nil {
				return Result{}, err
			}
			return run(ctx, args)
		},
		action: func(input json.RawMessage) (Action, error) {
			args, err := decodeArgs[Args](input)
			if err != nil {
				return Action{}, err
			}
			if a, ok := any(args).(Actor); ok {
				return a.Action(), nil
			}
			return Action{Summary: string(input)}, nil
		},
		show: func(input json.RawMessage, find func(string) string) string {
			args, err := decodeArgs[Args](input)
			if s, ok := any(args).(Shower); ok && err == nil {
				return s.Show(find)
			}
			var out bytes.Buffer
			if json.Indent(&out, input, "", "  ") != nil {
				return string(input)
			}
			return out.String()
		},
	}
	if _, ok := any(*new(Args)).(Asker); ok {
		t.asks = func(input json.RawMessage) []chat.Ask {
			args, err := decodeArgs[Args](input)
			if err != nil {
				return nil
			}
			return any(args).(Asker).Asks()
		}
	}
	return t
}

// Run runs the tool. The context must come from the agent, or FromContext gives a nil agent to the tool.
func (t Tool) Run(ctx context.Context, input json.RawMessage) (Result, error) {
	return t.run(ctx, input)
}

// Action says what a call with this input would do. The error, for input that does not fit, is written for the model.
func (t Tool) Action(input json.RawMessage) (Action, error) { return t.action(input) }

// Asks are the questions to the user that a call with this input asks; nil when it asks none.
func (t Tool) Asks(input json.RawMessage) []chat.Ask {
	if t.asks == nil {
		return nil
	}
	return t.asks(input)
}

// decodeArgs reads a call's arguments. Unknown names are ignored; an Args that knows the habits of other agents
// implements json.Unmarshaler.
func decodeArgs[Args any](input json.RawMessage) (Args, error) {
	var args Args
	dec := json.NewDecoder(bytes.NewReader(input))
	err := dec.Decode(&args)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return args, fmt.Errorf("argument %q must be %s, not %s; call again with it corrected", wrong.Field, article(jsonKind(wrong.Type.Kind().String())), article(wrong.Value))
	case err != nil:
		return args, fmt.Errorf("the arguments do not fit: %w; call again with a JSON object as the schema says", err)
	}
	return args, nil
}

// article is a kind of JSON value with its article.
func article(kind string) string {
	if kind != "" && strings.ContainsRune("aeiou", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}

func jsonKind(goKind string) string {
	switch goKind {
	case "slice", "array":
		return "array"
	case "struct", "map":
		return "object"
	case "int", "int64", "float64":
		return "number"
	case "bool":
		return "boolean"
	}
	return goKind
}

func (t Tool) spec() (chat.ToolSpec, error) {
	schema, err := json.Marshal(t.Schema)
	if err != nil {
		return chat.ToolSpec{}, fmt.Errorf("agent: the schema of tool %s: %w", t.Name, err)
	}
	return chat.ToolSpec{Name: t.Name, Description: t.Description, Schema: schema}, nil
}
