package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// A judgement is the policy's verdict on a call, with what the call would do in words.
type judgement struct {
	verdict permission.Verdict
	summary string
}

// judge decides whether a call may run. Input that does not fit is denied: it cannot run anyway.
// scratch is the session's own folder: what results name there may be read without asking.
func judge(tool Tool, c chat.ToolCall, mode permission.Mode, workdir, scratch string) judgement {
	action, err := tool.Action(c.Input)
	if err != nil {
		return judgement{permission.Verdict{Decision: permission.Deny, Reason: err.Error()}, c.Name}
	}
	call := permission.Call{Tool: c.Name, Effect: tool.Effect, Command: action.Command}
	for _, path := range action.Reads {
		if resolved := resolve(workdir, path); !inside(workdir, resolved) && !inside(scratch, resolved) {
			call.Outside = append(call.Outside, resolved)
		}
	}
	for _, path := range action.Writes {
		resolved := resolve(workdir, path)
		if !inside(workdir, resolved) {
			call.Outside = append(call.Outside, resolved)
		}
		if guarded(workdir, resolved) {
			call.Guarded = append(call.Guarded, resolved)
		}
	}
	return judgement{mode.Judge(call), clip(action.Summary)}
}

// clip makes a summary one line of at most 200 runes.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:199]) + "…"
	}
	return s
}

// resolve gives the file that a path means: relative to the workdir, links followed as far as the path exists.
func resolve(workdir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(workdir, path)
	}
	return follow(filepath.Clean(path), 40)
}

// follow resolves links as far as the path exists; a link to a file that is not there yet counts as its target.
func follow(path string, links int) string {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		return resolved
	}
	if target, err := os.Readlink(path); err == nil && links > 0 {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return follow(filepath.Clean(target), links-1)
	}
	parent := filepath.Dir(path)
	if parent == path || !errors.Is(err, fs.ErrNotExist) && links == 0 {
		return path
	}
	return filepath.Join(follow(parent, links), filepath.Base(path))
}

func inside(workdir, path string) bool {
	rel, err := filepath.Rel(workdir, path)
	return err == nil && filepath.IsLocal(rel)
}

// guarded reports whether a path decides what runs later: git's own files and ours.
func guarded(workdir, path string) bool {
	rel, err := filepath.Rel(workdir, path)
	if err != nil {
		return false
	}
	for part := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		switch strings.ToLower(part) {
		case ".git", ".coder":
			return true
		}
	}
	return false
}
