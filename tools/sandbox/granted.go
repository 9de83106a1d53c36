package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path/filepath"
	"sync"
)

// granted are the protected files that the host itself has written, because a person wanted it: by their real paths, with their
// content. What goes on beside it, perhaps for days, is not blamed for them. A command that changes one afterwards is.
type granted struct {
	mu     sync.Mutex
	hashes map[string]string
}

// maxGranted bounds how many are remembered: those that are forgotten are put aside with what a command has made.
const maxGranted = 10_000

// Wrote notes that the host has written a protected file: its content by SHA-256, in hexadecimal digits.
func (b *Box) Wrote(path, hash string) {
	if b == nil {
		return
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return // it has gone again
	}
	g := &b.granted
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hashes == nil || len(g.hashes) >= maxGranted {
		g.hashes = make(map[string]string)
	}
	g.hashes[filepath.Join(dir, filepath.Base(path))] = hash
}

// holds reports whether a file is as the host has written it.
func (g *granted) holds(path string) bool {
	g.mu.Lock()
	want, ok := g.hashes[path]
	g.mu.Unlock()
	if !ok {
		return false
	}
	f, err := openPlain(path)
	if err != nil {
		return false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxGrantedFile {
		return false
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, maxGrantedFile)); err != nil {
		return false
	}
	return hex.EncodeToString(sum.Sum(nil)) == want
}

// maxGrantedFile bounds what is read of one, in bytes: no file tool writes more.
const maxGrantedFile = 32 << 20
