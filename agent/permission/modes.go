package permission

// The modes.
const (
	ModePlan Mode = "plan" // look, do not touch
	ModeAsk  Mode = "ask"  // every change is asked for
	ModeEdit Mode = "edit" // files in the workdir may change, commands are asked for
	ModeAuto Mode = "auto" // all that stays inside the workdir; commands run without a sandbox in this version
	ModeFull Mode = "full" // nothing is asked for but what holds in every mode; typed for a new session, never reached by a change
)

type row struct {
	rank                                int // larger permits more
	reads, writes, runs, network, plans Decision
}

// To add a mode, add its row.
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
	return Ask // an effect nobody declared
}
