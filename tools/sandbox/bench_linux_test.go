package sandbox

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkTest is what the self-test adds to the start of a host: when nothing is known yet, and later.
func BenchmarkTest(b *testing.B) {
	o := Options{Home: b.TempDir(), Cache: b.TempDir()}
	dir := b.TempDir()
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			r, err := Test(b.Context(), o, dir)
			if err != nil {
				b.Fatal(err)
			}
			r.forget()
		}
	})
	if _, err := Test(b.Context(), o, dir); err != nil {
		b.Fatal(err)
	}
	b.Run("later", func(b *testing.B) {
		for b.Loop() {
			if _, err := Test(b.Context(), o, dir); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkBox is BenchmarkRun within bounds, at each level, with caches and with a repository as workdir.
func BenchmarkBox(b *testing.B) {
	base := b.TempDir()
	work, scratch := filepath.Join(base, "work"), filepath.Join(base, "data", "scratch")
	for _, dir := range []string{filepath.Join(work, ".git", "hooks"), scratch} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	argv, err := Shell(environ, "true")
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range []Report{{Level: LevelNone}, {Level: LevelLandlock}, {Level: LevelFull}, {Level: LevelFull, Overlay: true}} {
		name := []string{"plain", "", "landlock", "full"}[r.Level]
		if r.Overlay {
			name += "+overlays"
		}
		b.Run(name, func(b *testing.B) {
			box := New(Options{Home: os.Getenv("HOME"), Private: []string{filepath.Join(base, "data")}, Cache: filepath.Join(base, "cache")}, r)
			c := Command{Argv: argv, Dir: work, Env: os.Environ(), Stdout: io.Discard}
			for b.Loop() {
				out, err := box.Run(b.Context(), c, Bounds{Workdir: work, Scratch: scratch})
				if err != nil || out.Code != 0 {
					b.Fatal(out, err)
				}
			}
		})
	}
}
