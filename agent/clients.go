package agent

// clients counts who is connected, by kind.
func (s *state) clients() map[string]int {
	counts := map[string]int{}
	for sub := range s.subs {
		if sub.kind != "" {
			counts[sub.kind]++
		}
	}
	return counts
}

// counted sees to it that the state document tells of a client that has come or gone.
func (s *state) counted(sub *Subscription) {
	if sub.kind != "" {
		s.refreshSoon()
	}
}
