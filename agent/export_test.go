package agent

// SweepScratch lets a test sweep without waiting for the clock.
var SweepScratch = (*Host).sweepScratch

// Methods is the RPC table.
func Methods() map[string]Method { return methods }

// Agents counts those that the host has in memory.
func (h *Host) Agents() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.agents)
}
