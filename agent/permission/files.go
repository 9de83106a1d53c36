package permission

import (
	"fmt"
	"path/filepath"
)

// judgeFiles judges a call by the paths it names and by its effect.
func (p Policy) judgeFiles(row row, c Call) Verdict {
	rules := p.rulesFor(c)
	var asks []string // why a person is needed, whatever the rules say
	refuse := func(format string, args ...any) Verdict {
		return Verdict{Decision: Deny, Reason: fmt.Sprintf(format, args...)}
	}
	spots := make([]spot, 0, len(c.Reads)+len(c.Writes))
	for _, path := range c.Reads {
		s := p.Place.spot(p.Place.Workdir, path)
		switch {
		case p.Place.private(s) && !inside(p.Place.Scratch, s.real):
			return refuse("%s belongs to coder itself", s.real)
		case s.device():
			return refuse("%s is no file but a door to the machine", s.clean)
		case !p.Place.readable(s):
			asks = append(asks, s.real+" is outside the workdir")
		case s.secret():
			asks = append(asks, fmt.Sprintf("%s may hold secrets", path))
		}
		spots = append(spots, s)
	}
	for _, path := range c.Writes {
		s := p.Place.spot(p.Place.Workdir, path)
		switch {
		case p.Place.private(s):
			return refuse("%s belongs to coder itself", s.real)
		case s.device():
			return refuse("%s is no file but a door to the machine", s.clean)
		case s.protected():
			asks = append([]string{fmt.Sprintf("%s decides what runs later", s.real)}, asks...)
		case !p.Place.within(s):
			asks = append(asks, s.real+" is outside the workdir")
		}
		spots = append(spots, s)
	}
	if rule, ok := rules.match(Deny, p.Place, spots); ok {
		return refuse("the rule %q (%s) forbids it", rule, rule.From)
	}
	v := p.plain(row, c.Effect)
	if v.Decision == Deny {
		return v
	}
	if row.full() { // what is outside is not asked for, the lists are
		asks = p.guardedOnly(c)
	}
	rule, asked := rules.match(Ask, p.Place, spots)
	switch {
	case len(asks) > 0:
		return Verdict{Decision: Ask, Reason: asks[0]}
	case asked:
		return Verdict{Decision: Ask, Reason: fmt.Sprintf("the rule %q (%s) wants it asked", rule, rule.From)}
	case v.Decision == Ask && rules.covers(p.Place, spots):
		return Verdict{Decision: Allow}
	case v.Decision == Ask:
		v.Always = p.alwaysFile(c, spots)
	}
	return v
}

// guardedOnly is why a call needs a person in mode full.
func (p Policy) guardedOnly(c Call) (asks []string) {
	for _, path := range c.Writes {
		if s := p.Place.spot(p.Place.Workdir, path); s.protected() {
			asks = append(asks, fmt.Sprintf("%s decides what runs later", s.real))
		}
	}
	for _, path := range c.Reads {
		if s := p.Place.spot(p.Place.Workdir, path); s.secret() {
			asks = append(asks, fmt.Sprintf("%s may hold secrets", path))
		}
	}
	return asks
}

// alwaysFile is the rule for one file inside the workdir that a call changes.
func (p Policy) alwaysFile(c Call, spots []spot) string {
	if len(c.Writes) != 1 || len(spots) != 1 {
		return ""
	}
	rel, err := filepath.Rel(p.Place.Workdir, spots[0].real)
	if err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return offer(fmt.Sprintf("allow edit(%s)", quotePath(filepath.ToSlash(rel))))
}
