package agent

// SweepScratch lets a test sweep without waiting for the clock.
var SweepScratch = (*Host).sweepScratch

// Methods is the RPC table.
func Methods() map[string]Method { return methods }
