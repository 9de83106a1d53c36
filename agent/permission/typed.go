package permission

// judgeTyped judges what is typed to a command that runs. That was judged as it began, for what it would do by itself; what it
// makes of a text only it knows. To a shell, a debugger or python it is code, so it is never taken for less: no table of
// known commands counts, because an alias or the folder that the shell is in may have changed what the words mean, and
// no allow rule. What the rules forbid is forbidden here, too, as far as the text reads as commands.
func (p Policy) judgeTyped(row row, c Call) Verdict {
	j := judgement{Policy: p, row: row, call: c, reading: p.read(c.Command, p.Place.Workdir)}
	if f, ok := j.worst(func(f finding) bool { return f.hold == own }); ok {
		return Verdict{Decision: Deny, Reason: f.why}
	}
	v := j.ruled()
	if v.Decision != Deny {
		v = j.typed(v)
	}
	if v.Decision != Deny {
		v.Reach = c.Reach
	}
	return v
}

// typed is the verdict of the mode; ruled is that of the rules.
func (j *judgement) typed(ruled Verdict) Verdict {
	const unknown = "it types into a running command, and what that does with it is not known"
	switch {
	case j.row.runs == Deny:
		return Verdict{Decision: Deny, Reason: "mode " + string(j.Mode) + " only looks, and this is typed into a running command"}
	case j.call.Reach.Unsandboxed && (j.Level > 0 || !j.row.full()):
		return Verdict{Decision: Ask, Reason: "it types into a command that runs outside of the sandbox, with all that you may do"}
	case j.row.full():
		return ruled
	case j.call.Reach.Network:
		return Verdict{Decision: Ask, Reason: "it types into a command that has the network"}
	case j.row.runs == Allow && j.Level == 3: // the sandbox bounds the command, whatever it is told
		return ruled
	}
	return Verdict{Decision: Ask, Reason: unknown}
}
