package audit

// syncDir has nothing to do: Windows keeps names with the files.
func syncDir(string) error { return nil }
