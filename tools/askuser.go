package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/plain"
)

// Bounds of a call's questions: a person reads them on one screen.
const (
	maxAsks    = 3
	maxOptions = 4
	maxHeader  = 40   // characters
	maxAsk     = 2000 // characters of a question
	maxOption  = 300  // characters
)

type askArgs struct {
	Questions []askItem `json:"questions" jsonschema:"1 to 3"`
}

type askItem struct {
	Header  string      `json:"header" jsonschema:"one or two words"`
	Text    string      `json:"text" jsonschema:"the question"`
	Options []askOption `json:"options,omitempty" jsonschema:"at most 4, the recommended first; the user may also answer in own words"`
	Multi   bool        `json:"multi,omitempty" jsonschema:"several may be chosen"`
}

type askOption string

// AskUser returns the tool that asks the user.
func AskUser() agent.Tool {
	return tool("ask_user", permission.Reads, "Ask the user what only they can decide, when a wrong guess would cost much. "+
		"You get the answers when they come. Not for permission to run a call: that is asked for by itself.", askUser)
}

// askUser answers where nobody does: else the call is not run, and waits.
func askUser(ctx context.Context, s session, args askArgs) (agent.Result, error) {
	if _, err := s.Workdir(ctx); err != nil { // there is not even an agent
		return agent.Result{}, err
	}
	return agent.Result{Text: chat.Unanswered(args.Asks(), "nobody is here to answer")}, nil
}

// UnmarshalJSON reads the questions, checked: what waits for the user can be shown.
func (a *askArgs) UnmarshalJSON(data []byte) error {
	if err := fit(data, a); err != nil {
		return err
	}
	if n := len(a.Questions); n == 0 || n > maxAsks {
		return fmt.Errorf("%d questions: ask 1 to %d", n, maxAsks)
	}
	seen := map[string]bool{}
	for i, q := range a.Questions {
		if err := q.check(); err != nil {
			return fmt.Errorf("question %d: %w", i+1, err)
		}
		if seen[q.Header] {
			return fmt.Errorf("question %d: another has the header %q", i+1, q.Header)
		}
		seen[q.Header] = true
	}
	return nil
}

func (q askItem) check() error {
	switch {
	case q.Text == "":
		return errors.New("it has no text")
	case len([]rune(q.Header)) > maxHeader:
		return fmt.Errorf("its header is longer than %d characters: one or two words", maxHeader)
	case len([]rune(q.Text)) > maxAsk:
		return fmt.Errorf("its text is longer than %d characters", maxAsk)
	case len(q.Options) > maxOptions:
		return fmt.Errorf("%d options: at most %d; the user may answer in own words", len(q.Options), maxOptions)
	}
	for i, option := range q.Options {
		switch {
		case option == "":
			return fmt.Errorf("option %d is empty", i+1)
		case len([]rune(option)) > maxOption:
			return fmt.Errorf("option %d is longer than %d characters", i+1, maxOption)
		}
	}
	return nil
}

// UnmarshalJSON reads a question, also one that is only its text, or that is written as for other agents.
func (q *askItem) UnmarshalJSON(data []byte) error {
	given, err := object(data)
	if err != nil {
		if err := json.Unmarshal(data, &q.Text); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		names []string
		field any
	}{
		{[]string{"question", "prompt", "text"}, &q.Text},
		{[]string{"title", "label", "header"}, &q.Header},
		{[]string{"multiSelect", "multiple", "multi"}, &q.Multi},
	} {
		for _, name := range f.names { // the right name, the last, beats the others
			if raw, ok := given[name]; ok {
				if err := set(reflect.ValueOf(f.field).Elem(), name, raw); err != nil {
					return err
				}
			}
		}
	}
	for _, name := range []string{"choices", "options"} {
		raw, ok := given[name]
		if !ok {
			continue
		}
		if list, ok := asList(raw); ok {
			raw = list
		}
		if err := json.Unmarshal(raw, &q.Options); err != nil {
			return errors.New("options must be a list of strings")
		}
	}
	q.Text, q.Header = strings.TrimSpace(q.Text), strings.Join(strings.Fields(q.Header), " ")
	if q.Header == "" {
		q.Header = plain.Clip(strings.Join(strings.Fields(q.Text), " "), maxHeader)
	}
	return nil
}

// UnmarshalJSON reads an option, also one with a description.
func (o *askOption) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		var item struct{ Label, Text, Value, Description string }
		if err := json.Unmarshal(data, &item); err != nil {
			return err
		}
		for _, said := range []string{item.Value, item.Text, item.Label} {
			if said != "" {
				text = said
			}
		}
		if item.Description != "" {
			text += " (" + item.Description + ")"
		}
	}
	*o = askOption(strings.Join(strings.Fields(text), " "))
	return nil
}

// Asks are the questions as clients show them.
func (a askArgs) Asks() []chat.Ask {
	asks := make([]chat.Ask, len(a.Questions))
	for i, q := range a.Questions {
		asks[i] = chat.Ask{Header: q.Header, Text: q.Text, Multi: q.Multi}
		for _, o := range q.Options {
			asks[i].Options = append(asks[i].Options, string(o))
		}
	}
	return asks
}

// Action names the questions.
func (a askArgs) Action() agent.Action {
	headers := make([]string, len(a.Questions))
	for i, q := range a.Questions {
		headers[i] = q.Header
	}
	return agent.Action{Summary: strings.Join(headers, ", ")}
}
