package agent

// maxLoaded is how many sessions may be in memory for one more to be opened by a client. What has work, such as a turn that
// is taken up again or a child that a turn starts, is loaded all the same.
const maxLoaded = 1024

// A CrowdedError says that too many sessions are in use for another to be opened.
type CrowdedError struct{}

func (e *CrowdedError) Error() string { return "too many sessions are open in this host" }

// Hint says what the user can do.
func (e *CrowdedError) Hint() string { return "close some clients and try again" }

// room makes sure that the session is in memory, or may come there: where the host is full, one that nobody uses goes to
// sleep early.
func (a *CoderAgent) room() error {
	if a == nil || a.host.loaded.Load() < maxLoaded || a.isAwake() {
		return nil
	}
	select {
	case a.host.spare <- struct{}{}:
		return nil
	default:
		return &CrowdedError{}
	}
}

func (a *CoderAgent) isAwake() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done == nil {
		return false
	}
	select {
	case <-a.done:
		return false
	default:
		return true
	}
}

// spareOf is what tells the session to sleep early; nil while it has something to do.
func (a *CoderAgent) spareOf(s *state) <-chan struct{} {
	if !s.sleepy() {
		return nil
	}
	return a.host.spare
}
