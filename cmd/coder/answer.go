package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/cmd/internal/headless"
	"github.com/coder-agent/coder/server/client"
	"github.com/coder-agent/coder/tools"
)

// An answerCommand holds the flags of coder answer.
type answerCommand struct {
	app     *app
	config  config
	answers []string // as typed, one for each question
	detach  bool
	output  string
}

func newAnswer(a *app) *cobra.Command {
	c := &answerCommand{app: a}
	cmd := &cobra.Command{
		Use:   "answer SESSION [CALL]",
		Short: "Answer what the agent asks you, and follow the turn",
		Long: `answer gives the agent the answers to questions that wait in a session, and follows the turn to its end as run does. On a
terminal it asks; in a script -a answers, once for each question, in their order. An answer is the number of an option, its
text, or your own words; where several may be chosen, numbers with commas. Any terminal can do this, today or tomorrow: what
waits is on disk. A prompt to the session answers too, in your own words.`,
		Example: `  coder answer nightly
  coder answer nightly call_1 -a 1
  coder answer nightly -a 2 -a 'neither: use what the tests use'`,
		Args:              args(cobra.RangeArgs(1, 2)),
		ValidArgsFunction: a.completeAsking,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if c.config, err = a.config(cmd); err != nil {
				return err
			}
			call := ""
			if len(args) == 2 {
				call = args[1]
			}
			return c.run(cmd.Context(), args[0], call)
		},
	}
	addFlags(cmd, "dataDir")
	cmd.Flags().StringArrayVarP(&c.answers, "answer", "a", nil, "the answer to a question; one for each, in their order")
	cmd.Flags().BoolVar(&c.detach, "detach", false, "return once the answer is recorded; the turn goes on")
	addOutput(cmd, &c.output)
	return cmd
}

func (c *answerCommand) run(ctx context.Context, name, call string) error {
	format, err := headless.ParseFormat(c.output)
	if err != nil {
		return &usageError{Err: err, Command: "coder answer"}
	}
	t, err := c.app.transcript(ctx, c.config, name)
	if err != nil {
		return err
	}
	name = t.session.Name
	headless.Banner(c.app.stderr, name, string(t.session.Mode))
	asked, err := c.choose(&t, call)
	if err != nil {
		return err
	}
	answers, err := c.take(ctx, name, asked)
	if err != nil {
		return err
	}
	// As long as another call waits, a host asks no model.
	partly := len(t.asking)+len(t.waiting) > 1 && !t.resumes
	conn := &connector{app: c.app, config: c.config, anyProvider: true, keyless: partly, hold: partly}
	session, err := client.Dial(ctx, client.Options{
		Host: conn.address, Name: name, Kind: "answer", Query: url.Values{"client": {"run"}},
	})
	if err != nil {
		return goingOn(name, err)
	}
	defer session.Close()
	about := headless.Result{Session: name}
	if err := answer(ctx, session, asked, answers, &about); err != nil {
		return err
	}
	options := headless.Options{Out: c.app.stdout, Err: c.app.stderr, Format: format, Show: tools.Show}
	switch {
	case len(about.Approvals)+len(about.Questions) > 0:
		return outcome(headless.Park(ctx, session, about, options))
	case c.detach:
		return headless.Leave(ctx, session, about, options)
	}
	options.Interrupt = c.app.takeSignals()
	return c.app.follow(ctx, session, about, options)
}

// choose returns the call that is meant: the one that is named, or the only one that waits.
func (c *answerCommand) choose(t *transcript, call string) (headless.Questions, error) {
	name := t.session.Name
	list := t.questions()
	var ids []string
	for _, q := range list {
		ids = append(ids, q.ToolCallID)
	}
	i := slices.Index(ids, call)
	switch {
	case i >= 0:
		return list[i], nil
	case call == "" && len(list) == 1:
		return list[0], nil
	case len(list) == 0:
		return headless.Questions{}, &hintedError{fmt.Errorf("no question waits in session %s: it is %s", name, t.session.Status), t.nextStep()}
	case call != "":
		return headless.Questions{}, &hintedError{
			fmt.Errorf("session %s has no call %s that waits for an answer", name, call), "what waits there: " + strings.Join(ids, ", "),
		}
	}
	headless.PrintQuestions(c.app.stderr, name, list)
	return headless.Questions{}, &usageError{Command: "coder answer", Err: fmt.Errorf("%d calls wait for answers in session %s: name one", len(list), name)}
}

// take returns the answers that were typed, on the command line or, on a terminal, as it asks.
func (c *answerCommand) take(ctx context.Context, name string, asked headless.Questions) ([][]string, error) {
	if len(c.answers) > 0 {
		answers := make([][]string, len(c.answers))
		for i, text := range c.answers {
			var q chat.Ask
			if i < len(asked.Questions) {
				q = asked.Questions[i]
			}
			answers[i] = meant(q, text)
		}
		_, err := chat.Reply(asked.Questions, answers)
		return answers, err
	}
	if terminal := c.app.questioner(); terminal != nil {
		return terminal.answers(ctx, asked)
	}
	headless.PrintQuestions(c.app.stderr, name, []headless.Questions{asked})
	return nil, &usageError{Command: "coder answer", Err: errors.New("there is no answer, and no terminal to ask on")}
}

// meant is what was chosen with the words: options by number or text, several where that may be, or else the words.
func meant(q chat.Ask, text string) []string {
	if option, ok := chosen(q, text); ok {
		return []string{option}
	}
	if q.Multi {
		var options []string
		for part := range strings.SplitSeq(text, ",") {
			option, ok := chosen(q, part)
			if !ok {
				return []string{text}
			}
			options = append(options, option)
		}
		return options
	}
	return []string{text}
}

func chosen(q chat.Ask, text string) (string, bool) {
	text = strings.TrimSpace(text)
	for _, option := range q.Options {
		if strings.EqualFold(option, text) {
			return option, true
		}
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(q.Options) {
		return q.Options[n-1], true
	}
	return "", false
}

// answer sends the answers and notes in r what was answered and what still waits.
func answer(ctx context.Context, session *client.Session, asked headless.Questions, answers [][]string, r *headless.Result) error {
	text, err := chat.Reply(asked.Questions, answers)
	if err != nil {
		return err
	}
	err = session.Call(ctx, "answer", nil, asked.ToolCallID, answers)
	for errors.Is(err, client.ErrLost) && ctx.Err() == nil { // the host has just ended; the next has the question too
		err = session.Call(ctx, "answer", nil, asked.ToolCallID, answers)
	}
	if err != nil {
		return fmt.Errorf("answering call %s of session %s: %w", asked.ToolCallID, r.Session, err)
	}
	r.Answered = append(r.Answered, headless.Answer{ToolCallID: asked.ToolCallID, Text: text})
	if err := session.Ask(ctx, "approvals", &r.Approvals); err != nil {
		return err
	}
	return session.Ask(ctx, "questions", &r.Questions)
}

// answers asks the person at the terminal the questions of a call.
func (q *questioner) answers(ctx context.Context, asked headless.Questions) (answers [][]string, err error) {
	for _, ask := range asked.Questions {
		for _, l := range headless.AskLines([]chat.Ask{ask}) {
			fmt.Fprintln(q.app.stderr, l)
		}
		said, err := q.answerTo(ctx, ask)
		if err != nil {
			return nil, err
		}
		answers = append(answers, said)
	}
	return answers, nil
}

func (q *questioner) answerTo(ctx context.Context, ask chat.Ask) ([]string, error) {
	choices := "your own words, or q (leave it waiting): "
	if n := len(ask.Options); n > 0 {
		choices = fmt.Sprintf("1 to %d, your own words, Enter for 1, or q (leave it waiting): ", n)
	}
	for {
		text, given, err := q.app.lineUnless(ctx, choices, q.app.takeSignals())
		switch {
		case err != nil:
			return nil, err
		case !given || text == "q":
			if !given {
				fmt.Fprintln(q.app.stderr)
			}
			return nil, errLeft
		case text == "" && len(ask.Options) > 0:
			return ask.Options[:1], nil
		case text != "":
			return meant(ask, text), nil
		}
	}
}

// questions are the calls that wait for answers.
func (t *transcript) questions() (list []headless.Questions) {
	asks := asksOf()
	for _, c := range t.asking {
		list = append(list, headless.Questions{ToolCallID: c.ID, ToolName: c.Name, Questions: asks(c)})
	}
	return list
}

// asksOf returns what reads the questions of a call, as its tool does.
func asksOf() func(chat.ToolCall) []chat.Ask {
	known := make(map[string]agent.Tool)
	for _, tool := range tools.All(tools.Options{}) {
		known[tool.Name] = tool
	}
	return func(c chat.ToolCall) []chat.Ask {
		if !json.Valid(c.Input) {
			return nil
		}
		return known[c.Name].Asks(c.Input)
	}
}
