package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
	"github.com/coder-agent/coder/agent/store"
)

// A call of an agent may give a task to a child. The call is the parent's, the work is the child's: an agent like any other,
// with a transcript of its own. What the two owe each other is on disk before either acts: the parent's transcript says to
// whom the call was given and under which request id (TaskGiven), and a request id has one effect in the child. So the call
// may be taken up again, whenever its host dies: it finds the child's turn running, waiting or over, and never begins it twice.
//
// A child that waits for a decision lets its parent wait likewise, as a row (TaskWaits): the parent parks, and goes on when
// the child does. Whoever decides may do so at the child or at any session above it.

// What children are for.
const (
	AgentExplore = "explore" // looks and changes nothing
	AgentGeneral = "general" // may do what its parent may
)

// Bounds of the tasks of one family: a session that is nobody's child, and all below it.
const (
	maxTaskDepth = 3   // tasks of tasks
	maxTasks     = 100 // children that are there
	maxWorking   = 8   // children that work or wait at the same time
)

// A Task is what a call wants of a child.
type Task struct {
	Prompt     string
	Agent      string  // AgentExplore or AgentGeneral; "": explore, or what the child already is
	Name       string  // of the child; one that is there goes on with what it knows. "": a number of its own
	Background bool    // the call ends when the child has begun
	Budget     float64 // US dollars that the child's turn may cost; 0: what the parent has left
}

// errNoTask says why what calls for a task is none of an agent's calls.
var errNoTask = errors.New("a task is given by a call of an agent")

// Task gives a task to a child and waits for its report. It is the work of the call to which ctx was given, and may be begun
// again for the same call: a task that is given is found, not given twice. With a name and no prompt it asks about a child,
// and waits for the end of what that does; in the background it tells how far it is.
func (a *CoderAgent) Task(ctx context.Context, want Task) (Result, error) {
	switch {
	case a == nil:
		return Result{}, ErrNoAgent
	case CallID(ctx) == "":
		return Result{}, errNoTask
	}
	given, child, err := a.give(ctx, want)
	if err != nil {
		return Result{}, err
	}
	if given.Background {
		return child.begun(ctx, given)
	}
	return a.await(ctx, child, given)
}

// give makes sure that the task is recorded, its child there and its prompt durable. One family gives one task at a time, so
// that it stays in its bounds.
func (a *CoderAgent) give(ctx context.Context, want Task) (given chat.Task, child *CoderAgent, err error) {
	h := a.host
	h.giving.Lock()
	defer h.giving.Unlock()
	if given, err = a.given(ctx, want); err != nil {
		return given, nil, err
	}
	_, _, name := SplitAddress(given.Session)
	if child, err = h.childAs(ctx, a, KindTask, name, given.Agent); err != nil || given.Request == "" {
		return given, child, err
	}
	if err := child.limitTask(ctx, given); err != nil {
		return given, nil, err
	}
	err = child.Prompt(ctx, Prompt{ID: given.Request, Messages: []chat.Message{
		{ID: given.Request, Role: chat.User, Parts: []chat.Part{chat.Text{Text: want.Prompt}}},
	}})
	if err != nil {
		return given, nil, fmt.Errorf("prompting the sub-agent %s: %w", child.name, err)
	}
	return given, child, nil
}

// given returns the task of the call as it is recorded, and records it if it is new, together with the row of its child: whoever
// finds the one without the other knows that the child was deleted since.
func (a *CoderAgent) given(ctx context.Context, want Task) (given chat.Task, err error) {
	known := false
	err = a.do(ctx, func(s *state) error {
		given, known = s.script.Task(CallID(ctx))
		return nil
	})
	if err != nil {
		return given, err
	}
	if known {
		_, there, err := a.host.store.Session(ctx, strings.ToLower(given.Session))
		if err == nil && !there {
			err = gone(given.Session)
		}
		return given, err
	}
	given, isNew, err := a.plan(ctx, want)
	if err != nil {
		return given, err
	}
	return given, a.do(ctx, func(s *state) error {
		if s.turn == nil {
			return errNoTask
		}
		return s.recordAlso(s.turn, store.Safe, func(tx *store.Tx) error {
			if !isNew {
				return nil
			}
			return tx.PutSession(s.childRow(given.Session, given.Agent))
		}, chat.TaskGiven(given))
	})
}

// plan chooses the child of a new task and what its turn may cost. Its errors are for the model.
func (a *CoderAgent) plan(ctx context.Context, want Task) (given chat.Task, isNew bool, err error) {
	root, _, _ := strings.Cut(a.key, "/")
	family, err := a.host.store.Below(ctx, root)
	if err != nil {
		return given, false, err
	}
	child, isThere := findChild(family, a.key, want.Name)
	if err = want.check(a.key); err == nil {
		err = want.fits(a.key, family, child, isThere)
	}
	if err == nil && want.Prompt != "" {
		err = roomFor(family, child)
	}
	if err != nil {
		return given, false, err
	}
	name := want.Name
	given = chat.Task{ToolCallID: CallID(ctx), Agent: or(want.Agent, AgentExplore), Background: want.Background}
	switch {
	case isThere:
		_, _, name = SplitAddress(child.Name)
		given.Agent = or(child.Agent, AgentGeneral)
	case name == "":
		if name, err = a.freeName(ctx, family); err != nil {
			return given, false, err
		}
	}
	given.Session = a.name + "/sub/" + KindTask + "/" + name
	if given.Before, err = a.host.usageFrom(ctx, strings.ToLower(given.Session)); err != nil || want.Prompt == "" {
		return given, false, err
	}
	if !isThere { // loading it forgets what may be left of one of that name
		if err := a.host.load(ctx, given.Session); err != nil {
			return given, false, err
		}
	}
	given.Request = newID("task")
	given.Limit, err = a.share(ctx, want.Budget)
	return given, !isThere, err
}

// load makes sure that a session is in memory. A bad address is a *NameError.
func (h *Host) load(ctx context.Context, address string) error {
	a, err := h.Agent(ctx, address)
	if err != nil {
		return err
	}
	return a.do(ctx, func(*state) error { return nil })
}

// check refuses what no session can do.
func (want Task) check(parent string) error {
	switch {
	case taskDepth(parent) >= maxTaskDepth:
		return fmt.Errorf("sub-agents may be %d deep, and this one is: do the work yourself", maxTaskDepth)
	case want.Agent != "" && want.Agent != AgentExplore && want.Agent != AgentGeneral:
		return fmt.Errorf("there is no agent %q: take explore, which only looks, or general", want.Agent)
	case want.Name != "" && !ValidName(want.Name):
		return fmt.Errorf("%q is no name: letters, digits and . _ - do", want.Name)
	case want.Prompt == "" && want.Name == "":
		return errors.New("a task needs a prompt: say what is to be done and what the report must hold, for the sub-agent knows nothing of this conversation")
	}
	return nil
}

// fits refuses what cannot be done with the child of the name, or without it.
func (want Task) fits(parent string, family []store.Child, child store.Child, isThere bool) error {
	switch {
	case !isThere && (want.Prompt == "" && want.Name != "" || isNumber(want.Name)):
		return fmt.Errorf("there is no sub-agent %s; %s", want.Name, knownChildren(family, parent))
	case isThere && want.Agent != "" && child.Agent != want.Agent:
		return fmt.Errorf("sub-agent %s is %s and stays so; leave agent out, or leave name out for a new one", want.Name, or(child.Agent, "no task's"))
	}
	return nil
}

// childRow is the row of a new child, with what its parent has now.
func (s *state) childRow(address, agent string) store.Session {
	now, own := s.agent.host.opts.Now(), s.session
	return store.Session{
		Name: address, Key: strings.ToLower(address), Agent: agent, Workdir: own.Workdir, Model: own.Model, Mode: own.Mode,
		MaxCost: own.MaxCost, MaxSteps: own.MaxSteps, DenyAfter: own.DenyAfter, Status: string(Idle), Created: now, Updated: now,
	}
}

// taskDepth counts the tasks in an address.
func taskDepth(address string) (n int) {
	for parent, kind, _ := SplitAddress(address); parent != ""; parent, kind, _ = SplitAddress(parent) {
		if kind == KindTask {
			n++
		}
	}
	return n
}

func isNumber(name string) bool {
	_, err := strconv.Atoi(name)
	return err == nil
}

func findChild(family []store.Child, parent, name string) (store.Child, bool) {
	key := strings.ToLower(parent + "/sub/" + KindTask + "/" + name)
	for _, c := range family {
		if c.Key == key && name != "" {
			return c, true
		}
	}
	return store.Child{}, false
}

// childrenOf returns the names of the children that a session has given tasks.
func childrenOf(family []store.Child, key string) (names []string) {
	for _, c := range family {
		if parent, kind, name := SplitAddress(c.Name); kind == KindTask && strings.EqualFold(parent, key) {
			names = append(names, name)
		}
	}
	return names
}

func knownChildren(family []store.Child, key string) string {
	names := childrenOf(family, key)
	if len(names) == 0 {
		return "this session has none yet: leave name out for a new one"
	}
	return "there are: " + strings.Join(names, ", ")
}

// roomFor keeps a family in its bounds when a child begins, which is new unless it has a key.
func roomFor(family []store.Child, child store.Child) error {
	all, working := 0, 0
	for _, c := range family {
		if _, kind, _ := SplitAddress(c.Name); kind != KindTask {
			continue
		}
		all++
		if c.Status != string(Idle) && c.Key != child.Key {
			working++
		}
	}
	switch {
	case all >= maxTasks && child.Key == "":
		return fmt.Errorf("the session has %d sub-agents, which is the most: go on with one of them by its name, or do the work yourself", all)
	case working >= maxWorking:
		return fmt.Errorf("%d sub-agents work or wait, which is the most at the same time: wait for one, or do the work yourself", working)
	}
	return nil
}

// freeName is a number above those that were given before the step of the call, so that the tasks of one step are numbered as the
// model has written them, whichever begins first.
func (a *CoderAgent) freeName(ctx context.Context, family []store.Child) (string, error) {
	names, place := childrenOf(family, a.key), 0
	err := a.do(ctx, func(s *state) error {
		var beside []string
		m, _ := s.script.Last()
		for _, c := range m.StepCalls() {
			if a.host.tools[c.Name].Tasks {
				beside = append(beside, c.ID)
			}
		}
		for _, t := range s.script.Tasks() {
			_, _, name := SplitAddress(t.Session)
			if slices.Contains(beside, t.ToolCallID) {
				names = slices.DeleteFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
			} else {
				names = append(names, name)
			}
		}
		place = slices.Index(beside, CallID(ctx))
		return nil
	})
	most := 0
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil && n < 1<<30 {
			most = max(most, n)
		}
	}
	return strconv.Itoa(most + 1 + place), err
}

// limitTask lets the child's turn cost what its task may, before the first prompt of it. What a user says later stays.
func (a *CoderAgent) limitTask(ctx context.Context, given chat.Task) error {
	return a.do(ctx, func(s *state) error {
		st, err := s.standing(ctx, given.Request)
		if err != nil || st.known {
			return err
		}
		row := s.session
		row.MaxCost = given.Limit
		return s.settleRow(ctx, row, nil)
	})
}

// explores reports whether the session only looks.
func (s *state) explores() bool { return s.session.Agent == AgentExplore }

// may reports whether the session has a tool of ours: one that explores has those that look, one with a task asks the user nothing,
// and the deepest gives no tasks.
func (s *state) may(tool Tool) bool {
	asks := tool.asks != nil && s.session.Agent != ""
	return !asks && (!s.explores() || tool.Looks) && (!tool.Tasks || !s.explores() && taskDepth(s.agent.key) < maxTaskDepth)
}

// taskRole is what a child's system prompt says of it, or "".
func (s *state) taskRole() string {
	if s.session.Agent == "" {
		return ""
	}
	parent, _, _ := SplitAddress(s.agent.name)
	text := fmt.Sprintf(`
You are a sub-agent, at the address %s. The agent at %s has given you a task; it sees nothing of what you do but your last message.
- That message is your report: at most 4,000 characters, the answer first, then what it rests on (path:line), then what you could not find out or did not do.
- Nobody answers questions. Decide yourself, and say in the report what you assumed.
- Do the task and nothing beside it.
`, s.agent.name, parent)
	if s.explores() {
		text += "- You only look: you have no tool that changes anything, and commands run only if they are known to read.\n"
	}
	return text
}

// modeOf bounds the mode of a session with a task: one that explores looks, and mode full is typed for each session, which nobody
// has done here.
func (s *state) modeOf(mode permission.Mode) permission.Mode {
	switch {
	case s.explores():
		return permission.ModePlan
	case s.session.Agent != "" && mode == permission.ModeFull:
		return permission.ModeAuto
	}
	return mode
}
