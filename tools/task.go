package tools

import (
	"context"
	"strings"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

type taskArgs struct {
	Prompt     string  `json:"prompt,omitempty" jsonschema:"all it must know, and what to report; without it, name says whose end to wait for"`
	Agent      string  `json:"agent,omitempty" jsonschema:"explore (the default) only looks; general may do what you may"`
	Name       string  `json:"name,omitempty" jsonschema:"of a sub-agent: an earlier one goes on with what it knows"`
	Background bool    `json:"background,omitempty" jsonschema:"return at once; you are told when it has ended"`
	Budget     float64 `json:"budget,omitempty" jsonschema:"US dollars it may cost at most"`
}

func (a *taskArgs) UnmarshalJSON(data []byte) error {
	if err := fit(data, a); err != nil {
		return err
	}
	a.Agent = strings.ToLower(strings.TrimSpace(a.Agent))
	return nil
}

// Action says whom the task is for. Those that change things run one after the other: two at once would work on the same
// files.
func (a taskArgs) Action() agent.Action {
	who := a.Agent
	if who == "" && a.Name == "" {
		who = agent.AgentExplore
	}
	who = strings.TrimSpace(who + " " + a.Name)
	if a.Background {
		who += " in the background"
	}
	summary := who + ": " + a.Prompt
	if a.Prompt == "" {
		summary = who
	}
	return agent.Action{Summary: oneLine(summary), Alone: !a.explores()}
}

// explores reports whether the call surely is for one that only looks. What an earlier one is, its name does not tell.
func (a taskArgs) explores() bool {
	return a.Agent == agent.AgentExplore || a.Agent == "" && a.Name == ""
}

// Task returns the task tool: gives a part of the work to a sub-agent. The call itself changes nothing, and so needs no
// approval: each call of the sub-agent is judged on its own, in no looser mode.
func Task() agent.Tool {
	t := agent.NewTool("task", permission.Reads,
		"Give a task to a sub-agent with a context of its own: searching that reads much, or work apart from the rest. You get its report, 4 KB at most. Several explore tasks in one response run side by side.", task)
	t.Schema.Properties["agent"].Enum = []any{agent.AgentExplore, agent.AgentGeneral}
	t.Tasks, t.Resumes = true, true
	return t
}

func task(ctx context.Context, a taskArgs) (agent.Result, error) {
	return agent.FromContext(ctx).Task(ctx, agent.Task{
		Prompt: a.Prompt, Agent: a.Agent, Name: a.Name, Background: a.Background, Budget: a.Budget,
	})
}
