package permission

import (
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// What a word is judged by is what bash makes of it: in a folder with a file for every short name, no plain word becomes
// another one.
func TestPlainWordsMeanThemselves(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	pieces := []string{"a", "b", "{", "}", "[", "]", ",", "..", "-", "~", "/", `""`, `"a"`, "'b'", `\[`, `\{`, "="}
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{`[-""]a`, `a[b""]`, `a}{a"",b}`, `{}{a"",b}`, `"a"[b]`, `[a"]"b]`, `{a""..b}`}
	for range 4000 {
		var b strings.Builder
		for range 1 + random.IntN(9) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		words = append(words, b.String())
	}
	var script strings.Builder
	var want []string
	for _, text := range words {
		file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader("x "+text), "")
		if err != nil || len(file.Stmts) != 1 {
			continue
		}
		call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr)
		if !ok || len(call.Args) != 2 {
			continue
		}
		if w := readWord("x "+text, "", call.Args[1]); w.plain {
			script.WriteString("printf '%s;' " + text + "; echo\n")
			want = append(want, w.value+";")
		}
	}
	dir := t.TempDir()
	cmd := exec.Command(bash, "--noprofile", "--norc", "-c", "touch a b ab ba aa bb ./-a ./-b; touch -- a-b b-a -ab; "+script.String())
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(got) != len(want) || len(want) < 200 {
		t.Fatalf("bash answers %d words of %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("a plain word of value %s is %s to bash", want[i], got[i])
		}
	}
}
