package permission

import (
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// judgeCommand judges a command by everything that one reading finds in it.
func (p Policy) judgeCommand(row row, c Call) Verdict {
	at := p.Place.spot(p.Place.Workdir, c.Dir)
	r := p.read(c.Command, at.real)
	if c.Dir != "" {
		s := &simple{in: folders{list: []string{p.Place.Workdir}}}
		r.spot(s, at, looks, "works in")
		r.found = append(r.found, s.found...)
	}
	j := judgement{Policy: p, row: row, call: c, reading: r}
	v := j.verdict()
	if v.Decision == Deny {
		return v
	}
	v.Reach.Unsandboxed = c.Reach.Unsandboxed
	v.Reach.Network = c.Reach.Network || j.network()
	return v
}

// A judgement weighs a reading.
type judgement struct {
	Policy
	row     row
	call    Call
	reading *reading
	rules   map[string]pattern // read once for all simple commands
}

func (j *judgement) verdict() Verdict {
	if f, ok := j.worst(func(f finding) bool { return f.hold == own }); ok {
		return Verdict{Decision: Deny, Reason: f.why}
	}
	ruled := j.ruled()
	if ruled.Decision == Deny {
		return ruled
	}
	v := j.byMode()
	switch {
	case v.Decision == Deny:
		return v
	case j.call.Reach.Unsandboxed && (j.Level > 0 || !j.row.full()):
		return Verdict{Decision: Ask, Reason: "it wants to run outside of the sandbox, with all that you may do" + because(v)}
	case ruled.Decision == Ask && v.Decision == Allow:
		return ruled
	}
	return v
}

func because(v Verdict) string {
	if v.Reason == "" {
		return ""
	}
	return "; it " + strings.TrimPrefix(v.Reason, "it ")
}

// all are the findings, of the command and of its parts.
func (j *judgement) all(yield func(*simple, finding) bool) {
	for _, f := range j.reading.found {
		if !yield(nil, f) {
			return
		}
	}
	for _, s := range j.reading.simple {
		for _, f := range s.found {
			if !yield(s, f) {
				return
			}
		}
	}
}

// worst is the finding that weighs most of those that count.
func (j *judgement) worst(counts func(finding) bool) (worst finding, ok bool) {
	for _, f := range j.all {
		if counts(f) && (!ok || f.weight() > worst.weight()) {
			worst, ok = f, true
		}
	}
	return worst, ok
}

// weight orders findings for the reason that is given: what is hard to take back before what is only unusual.
func (f finding) weight() int {
	w := int(f.class)
	if f.hold >= firm {
		w += 10 * int(f.hold)
	}
	if f.network {
		w++
	}
	return w*2 + min(int(f.hold), 1)
}

func (j *judgement) network() bool {
	for _, f := range j.all {
		if f.network {
			return true
		}
	}
	return false
}

// byMode is what the mode says, with the allow rules.
func (j *judgement) byMode() Verdict {
	switch {
	case j.row.full():
		f, ok := j.worst(func(f finding) bool { return f.hold == guarded })
		return j.ask(f, ok)
	case j.row.runs == Deny:
		return j.looking()
	case j.row.runs == Allow && j.Level == 3:
		return j.boundedBySandbox()
	}
	return j.piecemeal()
}

func (j *judgement) ask(f finding, ok bool) Verdict {
	if !ok {
		return Verdict{Decision: Allow}
	}
	return Verdict{Decision: Ask, Reason: "it " + f.why}
}

// looking is for the mode that only looks: a look where a person must be asked is asked for, all else is denied.
func (j *judgement) looking() Verdict {
	if j.call.Reach.Network || j.call.Reach.Unsandboxed {
		return Verdict{Decision: Deny, Reason: fmt.Sprintf("mode %s only looks, inside the sandbox", j.Mode)}
	}
	if f, ok := j.worst(func(f finding) bool { return f.class > looks || f.hold == bounded }); ok {
		return Verdict{Decision: Deny, Reason: fmt.Sprintf("mode %s only looks, and it %s", j.Mode, f.why)}
	}
	f, ok := j.worst(func(finding) bool { return true })
	return j.ask(f, ok)
}

// boundedBySandbox lets all pass that the sandbox bounds, whatever its shape.
func (j *judgement) boundedBySandbox() Verdict {
	open := j.networkRuled()
	if f, ok := j.worst(func(f finding) bool { return f.hold >= firm }); ok {
		return j.ask(f, ok)
	}
	if j.call.Reach.Network && !open {
		return Verdict{Decision: Ask, Reason: "it wants the network" + because(j.ask(j.worst(func(f finding) bool { return f.network })))}
	}
	f, ok := j.worst(func(f finding) bool { return f.network && !open })
	v := j.ask(f, ok)
	if ok {
		v.Always = j.always()
	}
	return v
}

// piecemeal asks unless every part of the command is known to be harmless, stays in a whole sandbox, or is covered by
// a rule.
func (j *judgement) piecemeal() Verdict {
	open := j.networkRuled()
	var blocked finding
	found := false
	for s, f := range j.all {
		if j.passes(s, f, open) {
			continue
		}
		if !found || f.weight() > blocked.weight() {
			blocked, found = f, true
		}
	}
	if j.call.Reach.Network && !open {
		v := Verdict{Decision: Ask, Reason: "it wants the network"}
		if found {
			v.Reason += "; it " + blocked.why
		}
		return v
	}
	v := j.ask(blocked, found)
	if found {
		v.Always = j.always()
		v.Reason += j.unbounded(blocked)
	}
	return v
}

// unbounded says what is missing that would let project code run without a question.
func (j *judgement) unbounded(f finding) string {
	switch {
	case j.Level == 3, f.class != project, f.hold != free:
		return ""
	case j.Level > 0:
		return fmt.Sprintf(" (the sandbox bounds it only in part: level %d of 3)", j.Level)
	}
	return " (there is no sandbox)"
}

func (j *judgement) passes(s *simple, f finding, open bool) bool {
	switch {
	case f.hold == free && f.class == looks && !f.network:
		return true
	case f.hold == free && f.class == project && !f.network && j.Level == 3:
		return true
	case f.hold != free || s == nil:
		return false
	case f.network && j.Level > 0:
		return open
	}
	return open && j.covered(s, "network") || j.covered(s, "bash")
}

// networkRuled reports whether rules open the network for this command: every part of it that is more than a look.
func (j *judgement) networkRuled() bool {
	if j.Level < 3 || len(j.reading.found) > 0 {
		return false
	}
	some := false
	for _, s := range j.reading.simple {
		switch {
		case s.perhaps:
		case j.covered(s, "network"):
			some = true
		case j.busy(s):
			return false
		}
	}
	return some
}

// busy reports whether a simple command does more than look, and no rule opens the network for it.
func (j *judgement) busy(s *simple) bool {
	return !s.perhaps && !j.covered(s, "network") && slices.ContainsFunc(s.found, func(f finding) bool { return f.class > looks || f.hold > free || f.network })
}

// covered reports whether an allow rule of a tool is about a simple command.
func (j *judgement) covered(s *simple, tool string) bool {
	for _, r := range j.Rules {
		if r.Decision != Allow || r.Tool != tool {
			continue
		}
		if p, ok := j.pattern(r); ok && p.covers(s.words) {
			return true
		}
	}
	return false
}

// touched are all paths that the command names.
func (r *reading) touched(yield func(touch) bool) {
	for _, at := range r.at {
		if !yield(at) {
			return
		}
	}
	for _, s := range r.simple {
		for _, at := range s.at {
			if !yield(at) {
				return
			}
		}
	}
}

func (j *judgement) pattern(r Rule) (pattern, bool) {
	if p, ok := j.rules[r.Pattern]; ok {
		return p, len(p.words) > 0 || p.open
	}
	p, err := parsePattern(r.Pattern)
	if err != nil {
		p = pattern{}
	}
	if j.rules == nil {
		j.rules = make(map[string]pattern)
	}
	j.rules[r.Pattern] = p
	return p, err == nil
}

// ruled is what the deny and ask rules say of every simple command, at any depth, and of the paths that it names.
func (j *judgement) ruled() Verdict {
	v := Verdict{Decision: Allow}
	for _, r := range j.Rules {
		if r.Decision == Allow {
			continue
		}
		switch l := j.like(r); {
		case l == yes && r.Decision == Deny:
			return Verdict{Decision: Deny, Reason: fmt.Sprintf("the rule %q (%s) forbids it", r, r.From)}
		case l == yes:
			v = Verdict{Decision: Ask, Reason: fmt.Sprintf("the rule %q (%s) wants it asked", r, r.From)}
		case l == maybe && v.Decision == Allow:
			v = Verdict{Decision: Ask, Reason: fmt.Sprintf("it may be what the rule %q (%s) is about: that is only known when it runs", r, r.From)}
		}
	}
	return v
}

func (j *judgement) like(r Rule) (best likeness) {
	if r.Tool == "network" && !j.network() && !j.call.Reach.Network {
		return no
	}
	if r.Tool == "read" || r.Tool == "edit" {
		for at := range j.reading.touched {
			if (r.Tool == "read") == (at.what != "writes") && r.about(j.Place, at.spot) {
				return yes
			}
		}
		if r.Tool == "read" && slices.ContainsFunc(j.reading.searched, func(dir string) bool { return r.below(j.Place, dir) }) {
			return maybe
		}
		return no
	}
	if r.Tool != "bash" && r.Tool != "network" {
		return no
	}
	p, ok := j.pattern(r)
	if !ok {
		return maybe // what cannot be read may be about anything
	}
	for _, s := range j.reading.simple {
		for _, form := range forms(s.words) {
			best = max(best, p.like(form))
		}
	}
	return best
}

// forms are the ways in which a command may be meant: as it stands, without the folder of its program, and without
// the options that stand before a subcommand.
func forms(words []word) [][]word {
	all := [][]word{words}
	name := words[0]
	if name.known && strings.Contains(name.value, "/") {
		name.value = base(name.value)
		words = append([]word{name}, words[1:]...)
		all = append(all, words)
	}
	for i := 1; i < len(words) && i < 16 && strings.HasPrefix(words[i].value, "-"); i++ {
		for skip := 1; skip <= 2 && i+skip < len(words); skip++ {
			all = append(all, append([]word{name}, words[i+skip:]...))
		}
		if i+1 < len(words) && !strings.HasPrefix(words[i+1].value, "-") {
			i++
		}
	}
	return all
}

// always is the rule that "always" would store: about the one simple command that stands in the way, word for word; or,
// where a tool has subcommands of known reach, about that subcommand with any plain operands.
func (j *judgement) always() string {
	if j.call.Reach != (Reach{}) || j.call.Dir != "" || len(j.reading.found) > 0 {
		return ""
	}
	var one *simple
	open := j.networkRuled()
	for _, s := range j.reading.simple {
		if slices.ContainsFunc(s.found, func(f finding) bool { return !j.passes(s, f, open) }) {
			if one != nil {
				return ""
			}
			one = s
		}
	}
	if one == nil || one.perhaps {
		return ""
	}
	tool, wide := "bash", true
	for _, f := range one.found {
		if f.hold != free || f.sends {
			return ""
		}
		if f.network {
			tool = "network"
		}
		wide = wide && f.class <= project
	}
	if tool == "network" && (j.Level < 3 || slices.ContainsFunc(j.reading.simple, func(s *simple) bool { return s != one && j.busy(s) })) {
		return "" // the network is opened for all of a command, and only if the rest of it looks
	}
	rows, rest, _ := candidates(one.words)
	var text []string
	if wide && len(rows) > 0 && len(rows[0].name) > 1 && len(rest) == 0 {
		text = append(quoteWords(one.words), "**")
	} else {
		text = quoteWords(one.words)
	}
	if text == nil {
		return ""
	}
	return offer(fmt.Sprintf("allow %s(%s)", tool, strings.Join(text, " ")))
}

func quoteWords(words []word) (text []string) {
	for _, w := range words {
		q, err := syntax.Quote(w.value, syntax.LangBash)
		if !w.plain || err != nil {
			return nil
		}
		text = append(text, q)
	}
	return text
}
