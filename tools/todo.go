package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// Bounds of the todo list: it is in the state document that every client gets.
const (
	maxTodos    = 50
	maxTodoText = 300 // characters
)

type todoArgs struct {
	Items []todoItem `json:"items" jsonschema:"the whole list, in order; it replaces the one before"`
}

type todoItem struct {
	Text   string `json:"text" jsonschema:"what is to be done, in one line"`
	Status string `json:"status,omitempty" jsonschema:"pending (the default), in_progress or completed"`
}

func (a *todoArgs) UnmarshalJSON(data []byte) error { return fit(data, a) }

// UnmarshalJSON reads an item, also one that is only its text, or that calls the text what other agents do.
func (i *todoItem) UnmarshalJSON(data []byte) error {
	given, err := object(data)
	if err != nil {
		return json.Unmarshal(data, &i.Text)
	}
	for name, field := range map[string]*string{"content": &i.Text, "task": &i.Text, "title": &i.Text, "status": &i.Status} {
		if raw, ok := given[name]; ok {
			if err := set(reflect.ValueOf(field).Elem(), name, raw); err != nil {
				return err
			}
		}
	}
	if raw, ok := given["text"]; ok { // the right name beats the others
		return set(reflect.ValueOf(&i.Text).Elem(), "text", raw)
	}
	return nil
}

// Action says in a line how far the list is.
func (a todoArgs) Action() agent.Action {
	list, err := a.list()
	if err != nil {
		return agent.Action{Summary: fmt.Sprintf("%d items", len(a.Items))}
	}
	return agent.Action{Summary: progress(list)}
}

// Todo returns the todo tool: the list of what is to be done, for the model and for those who watch. It changes nothing
// but the transcript, so it may run again after a crash.
func Todo() agent.Tool {
	return tool("todo", permission.Reads,
		"Write down the steps of a task that has several, and keep the list up to date: it replaces the one before. The user sees it.", todo)
}

func todo(ctx context.Context, s session, a todoArgs) (agent.Result, error) {
	if _, err := s.Workdir(ctx); err != nil { // nobody is there to keep the list
		return agent.Result{}, err
	}
	list, err := a.list()
	if err != nil {
		return agent.Result{}, err
	}
	return agent.Result{Text: progress(list), Todo: list}, nil
}

func (a todoArgs) list() ([]chat.Todo, error) {
	if len(a.Items) > maxTodos {
		return nil, fmt.Errorf("%d items are too many: at most %d; join small steps", len(a.Items), maxTodos)
	}
	list := make([]chat.Todo, 0, len(a.Items))
	for i, item := range a.Items {
		text := strings.Join(strings.Fields(item.Text), " ")
		switch {
		case text == "":
			return nil, fmt.Errorf("item %d has no text", i+1)
		case len([]rune(text)) > maxTodoText:
			return nil, fmt.Errorf("item %d is longer than %d characters; put it in one line", i+1, maxTodoText)
		}
		status, err := todoStatus(item.Status)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		list = append(list, chat.Todo{Text: text, Status: status})
	}
	return list, nil
}

// todoStatus takes the words of other agents too.
func todoStatus(s string) (chat.TodoStatus, error) {
	switch strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(strings.TrimSpace(s))) {
	case "", "pending", "todo", "open", "not_started":
		return chat.TodoPending, nil
	case "in_progress", "active", "doing":
		return chat.TodoActive, nil
	case "completed", "complete", "done", "finished":
		return chat.TodoCompleted, nil
	}
	return "", errors.New("its status must be pending, in_progress or completed")
}

func progress(list []chat.Todo) string {
	done := 0
	for _, t := range list {
		if t.Status == chat.TodoCompleted {
			done++
		}
	}
	text := fmt.Sprintf("%d of %d done", done, len(list))
	if len(list) == 0 {
		text = "the list is empty"
	}
	if i := slices.IndexFunc(list, func(t chat.Todo) bool { return t.Status == chat.TodoActive }); i >= 0 {
		text += "; now: " + list[i].Text
	}
	return text
}
