package agent

import (
	"encoding/json"
	"maps"

	"github.com/coder-agent/coder/agent/permission"
)

// spots are the files that the paths of a call mean at one moment, by the path as the model wrote it. A call acts on those
// that it was judged by: a program that runs meanwhile may put a link in the way.
type spots map[string]string

// errMoved is why a call is denied whose paths mean something else than a moment before.
const errMoved = "a link on its path is being changed; look at the folder again"

func spotsOf(tool Tool, input json.RawMessage, workdir string) spots {
	action, err := tool.Action(input)
	if err != nil || len(action.Reads)+len(action.Writes) == 0 {
		return nil
	}
	found := spots{}
	for _, paths := range [][]string{action.Reads, action.Writes} {
		for _, path := range paths {
			found[path] = permission.Resolve(workdir, path)
		}
	}
	return found
}

// steady denies a call whose paths have changed while it was judged.
func (j judgement) steady(before, after spots) judgement {
	if !maps.Equal(before, after) {
		j.verdict = permission.Verdict{Decision: permission.Deny, Reason: errMoved}
	}
	return j
}
