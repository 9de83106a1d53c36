package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/coder-agent/coder/agent"
)

// stubFrom is the size of a result from which it is worth leaving out, in bytes: the word that it is unchanged has some 150.
const stubFrom = 512

// unlessShown returns res, or in its place one line that names the step whose result shows the same lines of the same
// content, if the model is still sent that result.
//
// The line is no proof that the model has seen the file: res.Files is left out of it, so that the edit guard forgets the file
// together with the result that shows it. And it is said once: a model that asks again all the same, perhaps because it does
// not find the lines, gets them, from then on each time: only equal answers tell that it goes in circles.
func unlessShown(ctx context.Context, s session, p *place, res agent.Result) (agent.Result, error) {
	d, ok := res.Details.(readDetails)
	if !ok || len(res.Text) < stubFrom {
		return res, nil
	}
	hash, ok, err := s.Seen(ctx, p.abs)
	if err != nil || !ok || hash != res.Files[0].Hash {
		return res, err // never seen, or what was seen last is something else
	}
	shown, err := s.Shown(ctx, "read")
	if err != nil {
		return res, err
	}
	step := 0
	for _, earlier := range shown {
		var e readDetails
		if json.Unmarshal(earlier.Details, &e) != nil || e.Path != d.Path || e.From != d.From || e.To != d.To || e.Column != d.Column {
			continue // another version may have written other details
		}
		switch {
		case e.Unchanged > 0 && e.Hash == hash:
			return res, nil
		case slices.Equal(earlier.Files, res.Files):
			step = cmp.Or(step, earlier.Step)
		}
	}
	if step == 0 {
		return res, nil
	}
	d.Unchanged, d.Hash = step, hash
	return agent.Result{
		Text:    fmt.Sprintf("(unchanged since step %d: your read of %s there still shows lines %d-%d as they are; call again to have them repeated)", step, p.shown, d.From, d.To),
		Details: d,
	}, nil
}
