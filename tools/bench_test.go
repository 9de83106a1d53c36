package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bigTree makes a folder of n files of source, some 4 KB each, 100 in a folder. One file in 1,000 has the word needle.
func bigTree(b *testing.B, n int) *fakeSession {
	b.Helper()
	s := newSession(b)
	body := strings.Repeat("func handle(w Writer, r *Request) error {\n\treturn errors.New(\"not found\")\n}\n", 50)
	for i := range n {
		dir := filepath.Join(s.dir, fmt.Sprintf("d%02d/e%02d", i/100%50, i/5000))
		if i%100 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		text := body
		if i%1000 == 0 {
			text += "var needle = 1\n"
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%03d.go", i%100)), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func BenchmarkSearch(b *testing.B) {
	searches := []struct{ name, input string }{
		{"rare", `{"pattern":"needle","limit":2000}`},
		{"fold", `{"pattern":"NEEDLE","ignore_case":true,"limit":2000}`},
		{"expression", `{"pattern":"nee[a-z]le\\s*=\\s*\\d","limit":2000}`},
		{"common", `{"pattern":"handle"}`},
		{"noliteral", `{"pattern":"[0-9]{6,}"}`},
	}
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := bigTree(b, n)
			run := func(b *testing.B) {
				for _, tt := range searches {
					b.Run("grep/"+tt.name, func(b *testing.B) {
						for b.Loop() {
							must(b, s, grep, tt.input)
						}
					})
				}
				b.Run("glob", func(b *testing.B) {
					for b.Loop() {
						must(b, s, glob, `{"pattern":"**/f00*.go"}`)
					}
				})
			}
			b.Run("folder", run)
			repo(b, s, ".")
			b.Run("repository", run)
		})
	}
}

func BenchmarkEdit(b *testing.B) {
	lines := strings.Repeat("\tx := compute(a, b, c) // some comment\n", 10_000)
	text := lines + "func target() {\n\treturn\n}\n" + lines
	for name, old := range map[string]string{"exact": "func target() {\n\treturn\n}", "reindented": "  func target() {\n  \treturn\n  }", "missed": "func target(a int) {\n\tpanic(a)\n}"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				d := draft{data: []byte(text)}
				d.apply("", replacement{Old: old, New: "x"})
			}
		})
	}
}

func BenchmarkReadThenEdit(b *testing.B) {
	s := newSession(b)
	s.put(b, "f.go", strings.Repeat("\tx := compute(a, b, c)\n", 400)+"a0\n")
	must(b, s, read, `{"path":"f.go"}`)
	for i := 0; b.Loop(); i++ {
		must(b, s, edit, fmt.Sprintf(`{"path":"f.go","old":"a%d\n","new":"a%d\n"}`, i, i+1))
		must(b, s, read, `{"path":"f.go"}`)
	}
}

func BenchmarkBash(b *testing.B) {
	s := newSession(b)
	for b.Loop() {
		must(b, s, bash, `{"command":"true"}`)
	}
}
