package agent

import (
	"context"
	"encoding/json"

	"github.com/coder-agent/coder/agent/chat"
)

// A Method is a row of the RPC table: what whoever serves a connection must know of it. docs/rpc.md has the same table.
type Method struct {
	Ordered bool  // its effects come in the order of the frames: it is short, and what follows it waits
	Sets    bool  // it changes the state document at the client's will: not for read-only connections
	Streams bool  // it may take long, and tells how far it is
	Pages   Pages // what a browser page may do with it

	call method
}

// Pages says what a browser page may do with a method.
type Pages string

const (
	PagesMay   Pages = "yes"
	PagesLess  Pages = "less" // within limits that the method itself sees to
	PagesNever Pages = "no"
)

// A method answers one call. tell hands the caller a piece of the answer before it is whole.
type method func(a *CoderAgent, ctx context.Context, args []json.RawMessage, tell func(any)) (any, error)

// methods is the one table of what clients can call. To add a method, add its row here and in docs/rpc.md.
var methods = map[string]Method{
	"setup":       {Ordered: true, Sets: true, Pages: PagesLess, call: method1((*CoderAgent).setup)},
	"getMessages": {Pages: PagesMay, call: method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.Messages(ctx) })},
	"approvals":   {Pages: PagesMay, call: method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.approvals(ctx) })},
	"usage":       {Pages: PagesMay, call: method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.usage(ctx) })},
	"decide":      {Ordered: true, Pages: PagesLess, call: decideMethod},
	"questions":   {Pages: PagesMay, call: method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.questions(ctx) })},
	"answer":      {Ordered: true, Pages: PagesMay, call: answerMethod},
	"rules":       {Pages: PagesMay, call: method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.Rules(ctx) })},
	"removeRule": {Ordered: true, Pages: PagesMay, call: method1(func(a *CoderAgent, ctx context.Context, id int64) (any, error) {
		return nil, a.RemoveRule(ctx, id)
	})},
	"cancel": {Ordered: true, Pages: PagesMay, call: cancelMethod},
	"steer": {Ordered: true, Pages: PagesMay, call: method1(func(a *CoderAgent, ctx context.Context, text string) (any, error) {
		return nil, a.Steer(ctx, text)
	})},
	"setModel": {Ordered: true, Sets: true, Pages: PagesMay, call: method1(func(a *CoderAgent, ctx context.Context, id string) (any, error) {
		return nil, a.setModel(ctx, id)
	})},
	"setMode":       {Ordered: true, Sets: true, Pages: PagesLess, call: setModeMethod},
	"schedule":      {Pages: PagesNever, call: method1((*CoderAgent).scheduleMethod)},
	"listSchedules": {Pages: PagesMay, call: method0(func(a *CoderAgent, ctx context.Context) (any, error) { return a.Schedules(ctx) })},
	"cancelSchedule": {Pages: PagesMay, call: method1(func(a *CoderAgent, ctx context.Context, id string) (any, error) {
		return nil, a.CancelSchedule(ctx, id)
	})},
	"jobs":              {Pages: PagesMay, call: jobsMethod},
	"endJob":            {Pages: PagesMay, call: method1(endJobMethod)},
	"getProjectContext": {Pages: PagesMay, call: method0((*CoderAgent).getProjectContext)},
	"setProjectContext": {Ordered: true, Sets: true, Pages: PagesMay, call: method1((*CoderAgent).setProjectContext)},
	"listSessions":      {Pages: PagesLess, call: listMethod},
	"renameSession": {Ordered: true, Sets: true, Pages: PagesMay, call: method1(func(a *CoderAgent, ctx context.Context, title string) (any, error) {
		return nil, a.Rename(ctx, title)
	})},
	"findFiles":   {Pages: PagesMay, call: findFilesMethod},
	"undo":        {Sets: true, Pages: PagesNever, call: undoMethod((*CoderAgent).Undo)},
	"redo":        {Sets: true, Pages: PagesNever, call: undoMethod((*CoderAgent).Redo)},
	"diff":        {Pages: PagesMay, call: diffMethod},
	"compact":     {Streams: true, Pages: PagesMay, call: compactMethod},
	"forkSession": {Pages: PagesMay, call: forkMethod},

	"recentMessages": {Pages: PagesMay, call: method1(func(a *CoderAgent, ctx context.Context, most int) (any, error) {
		return a.recent(ctx, most)
	})},
}

// MethodNamed returns the row of the RPC table, or false when there is no such method.
func MethodNamed(name string) (Method, bool) {
	m, ok := methods[name]
	return m, ok
}

// Call calls a method of the RPC table. The result is nil or marshals to JSON. An unknown method is a *MethodError.
func (a *CoderAgent) Call(ctx context.Context, method string, args []json.RawMessage) (any, error) {
	return a.CallStreaming(ctx, method, args, func(any) {})
}

// CallStreaming is Call for a caller that wants the pieces of an answer as they come. tell is called on the goroutine of
// the caller and may block it.
func (a *CoderAgent) CallStreaming(ctx context.Context, method string, args []json.RawMessage, tell func(any)) (any, error) {
	if a == nil {
		return nil, ErrNoAgent
	}
	m, ok := methods[method]
	caller := callerFrom(ctx)
	switch {
	case !ok:
		return nil, &MethodError{Method: method}
	case m.Sets && caller.ReadOnly:
		return nil, ErrReadOnly
	case m.Pages == PagesNever && caller.Page:
		return nil, refusal("a page may not call " + method + ": do it in a terminal")
	}
	v, err := m.call(a, context.WithValue(ctx, agentKey{}, a), args, tell)
	if err != nil {
		return nil, a.forClient(method, err)
	}
	return v, nil
}

func method0(do func(*CoderAgent, context.Context) (any, error)) method {
	return func(a *CoderAgent, ctx context.Context, _ []json.RawMessage, _ func(any)) (any, error) {
		return do(a, ctx)
	}
}

func method1[A any](do func(*CoderAgent, context.Context, A) (any, error)) method {
	return func(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
		v, err := arg[A](args, 0)
		if err != nil {
			return nil, err
		}
		return do(a, ctx, v)
	}
}

func cancelMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
	id, err := optional[string](args, 0)
	if err != nil {
		return nil, err
	}
	return nil, a.Cancel(ctx, id)
}

func (a *CoderAgent) approvals(ctx context.Context) (list []Pending, err error) {
	err = a.do(ctx, func(s *state) error { list = s.pending(); return nil })
	for i := 0; err == nil && i < len(list); i++ {
		err = a.complete(ctx, &list[i])
	}
	return list, err
}

// A UsageAnswer is what "usage" answers.
type UsageAnswer struct {
	chat.Usage            // of the session itself
	Below      chat.Usage `json:"below,omitzero"` // of the sessions below it
}

func (a *CoderAgent) usage(ctx context.Context) (u UsageAnswer, err error) {
	if u.Usage, err = a.ownUsage(ctx); err != nil {
		return u, err
	}
	all, err := a.host.usageFrom(ctx, a.key)
	u.Below = all.Sub(u.Usage)
	return u, err
}

// ownUsage is what the session has cost so far, without those below it.
func (a *CoderAgent) ownUsage(ctx context.Context) (u chat.Usage, err error) {
	err = a.do(ctx, func(s *state) error { u = s.usage(); return nil })
	return u, err
}
