package sandbox

import "path/filepath"

// within reports whether path is dir or beneath it. Both are absolute and clean.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
