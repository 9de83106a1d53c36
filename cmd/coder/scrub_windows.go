package main

import "errors"

// canScrub is false: Windows cannot replace a process, and shows its environment to the same user only.
const canScrub = false

func (s *serveCommand) scrub() error { return errors.ErrUnsupported }
