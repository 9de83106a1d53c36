package agent

// SweepScratch lets a test sweep without waiting for the clock.
var SweepScratch = (*Host).sweepScratch
