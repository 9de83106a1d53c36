package agent

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/store"
)

// Bounds of a page of the list of sessions.
const (
	usualPage = 50
	maxPage   = 200
)

// ListOptions say which part of the list of sessions to show.
type ListOptions struct {
	Limit  int    `json:"limit,omitempty"`  // at most 200; 0 means 50
	Cursor string `json:"cursor,omitempty"` // Next of the part before
}

// A List is a part of the list of sessions, the last used first.
type List struct {
	Sessions []Session `json:"sessions"`
	Next     string    `json:"next,omitempty"` // the cursor of what follows, if anything does
}

// list answers listSessions. A page sees the sessions of its own session's workdir only: of other projects on the machine
// not even the titles.
func (a *CoderAgent) list(ctx context.Context, opts ListOptions) (List, error) {
	page := store.Page{Limit: opts.Limit}
	switch {
	case page.Limit == 0:
		page.Limit = usualPage
	case page.Limit < 0 || page.Limit > maxPage:
		return List{}, refusal("limit must be 1 to " + strconv.Itoa(maxPage))
	}
	if opts.Cursor != "" {
		nanos, key, ok := strings.Cut(opts.Cursor, ".")
		at, err := strconv.ParseInt(nanos, 10, 64)
		if !ok || err != nil || at <= 0 {
			return List{}, refusal("the cursor is none that this method has given")
		}
		page.Before, page.Key = time.Unix(0, at), key
	}
	if callerFrom(ctx).Page {
		if err := a.do(ctx, func(s *state) error { page.Workdir = s.session.Workdir; return nil }); err != nil {
			return List{}, err
		}
		if page.Workdir == "" {
			return List{Sessions: []Session{}}, nil
		}
	}
	return a.host.list(ctx, page)
}

// list reads one more than is wanted, to know whether anything follows.
func (h *Host) list(ctx context.Context, page store.Page) (List, error) {
	want := page.Limit
	page.Limit++
	rows, err := h.store.SessionsPage(ctx, page)
	if err != nil {
		return List{}, err
	}
	l := List{Sessions: make([]Session, 0, len(rows))}
	if len(rows) > want {
		rows = rows[:want]
		last := rows[want-1]
		l.Next = strconv.FormatInt(last.Updated.UnixNano(), 10) + "." + last.Key
	}
	for _, r := range rows {
		l.Sessions = append(l.Sessions, h.describe(r))
	}
	return l, nil
}

func listMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
	opts, err := optional[ListOptions](args, 0)
	if err != nil {
		return nil, err
	}
	return a.list(ctx, opts)
}
