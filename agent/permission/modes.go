package permission

// The modes.
const (
	ModePlan Mode = "plan" // look, do not touch
	ModeAsk  Mode = "ask"  // every change is asked for
	ModeEdit Mode = "edit" // files in the workdir may change, commands are asked for
	ModeAuto Mode = "auto" // all that the sandbox bounds; without one, commands as in ask
	ModeFull Mode = "full" // nothing is asked for but what holds in every mode; typed for a new session, never reached by a change
)

type row struct {
	rank                                int // larger permits more
	reads, writes, runs, network, plans Decision
}

// To add a mode, add its row. What runs says of commands: Deny lets only those pass that look; Ask, those too that are
// known and stay inside the sandbox; Allow, all that the sandbox bounds.
var modes = map[Mode]row{
	ModePlan: {0, Allow, Deny, Deny, Deny, Deny},
	ModeAsk:  {1, Allow, Ask, Ask, Ask, Ask},
	ModeEdit: {2, Allow, Allow, Ask, Ask, Ask},
	ModeAuto: {3, Allow, Allow, Allow, Ask, Allow},
	ModeFull: {4, Allow, Allow, Allow, Allow, Allow},
}

func (r row) verdict(e Effect) Decision {
	switch e {
	case Reads:
		return r.reads
	case Writes:
		return r.writes
	case Runs:
		return r.runs
	case Network:
		return r.network
	case Plans:
		return r.plans
	}
	return r.other()
}

// other is for an effect that nobody declared: what it changes is not known.
func (r row) other() Decision {
	switch {
	case r.full():
		return Allow
	case r.writes == Deny:
		return Deny
	}
	return Ask
}

// full reports whether the mode asks for nothing but what holds in every mode.
func (r row) full() bool { return r.network == Allow }
