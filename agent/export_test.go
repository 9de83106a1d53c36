package agent

import "context"

// SweepScratch lets a test sweep without waiting for the clock.
var SweepScratch = (*Host).sweepScratch

// SweepPictures likewise.
var SweepPictures = (*Host).sweepPictures

// EstimateResult is how many tokens a result is taken to cost.
var EstimateResult = estimateResult

// Methods is the RPC table.
func Methods() map[string]Method { return methods }

// Agents counts those that the host has in memory.
func (h *Host) Agents() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.agents)
}

// PolicyRules are the rules by which the session's calls are judged now, as they are written.
func (a *CoderAgent) PolicyRules(ctx context.Context) (rules []string, err error) {
	err = a.do(ctx, func(s *state) error {
		for _, r := range s.policy().Rules {
			rules = append(rules, r.String())
		}
		return nil
	})
	return rules, err
}

// OfferAlways puts a rule into the question about a call that waits, as a policy does that has one to offer.
func OfferAlways(ctx context.Context, a *CoderAgent, callID, rule string) error {
	return a.do(ctx, func(s *state) error {
		asked := s.question(callID)
		asked.Verdict, asked.Always = "ask", rule
		s.script.Apply(asked)
		return nil
	})
}

// Passing has the host tell at which point of a snapshot or an undo it is.
func (h *Host) Passing(tell func(point string)) { h.passing = tell }
