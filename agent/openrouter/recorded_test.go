package openrouter

import (
	"bytes"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest/recorded"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Real answers are decoded to the events that the golden files hold, however the network cuts them.
func TestRecordedAnswersDecodeAlikeHoweverTheyAreCut(t *testing.T) {
	const dir = "testdata/recorded"
	answers, err := recorded.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(answers) < 13 {
		t.Fatalf("%d recordings in %s, want at least 13", len(answers), dir)
	}
	for _, a := range answers {
		t.Run(a.Name, func(t *testing.T) {
			got := replayCut(t, a)
			golden(t, strings.NewReplacer("/", "-", "#", "-").Replace(a.Name), got)
			if a.Stream() {
				overSocket(t, a, got)
			}
		})
	}
}

// CODER_RECORDED names a folder with more recordings: all their streams must decode alike however they are cut.
func TestMoreRecordedAnswers(t *testing.T) {
	dir := os.Getenv("CODER_RECORDED")
	if dir == "" {
		t.Log("CODER_RECORDED is not set: only the recordings in testdata are replayed")
		return
	}
	answers, err := recorded.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	streams := 0
	for _, a := range answers {
		if !a.Stream() {
			continue
		}
		streams++
		got := replayCut(t, a)
		if !strings.Contains(got, "\nanswered ") && !strings.Contains(got, "\nerror 400 Bad Request: ") { // two hold an error
			t.Errorf("%s decodes to neither an answer nor the server's error:\n%s", a.Name, got)
		}
	}
	if streams == 0 {
		t.Errorf("no streams in %s", dir)
	}
}

// replayCut decodes the answer whole, line by line, and cut at random places, and returns the one result.
func replayCut(t *testing.T, a recorded.Answer) string {
	t.Helper()
	want := replay(t, a, nil)
	var lines []int
	for i, c := range a.Body {
		if c == '\n' {
			lines = append(lines, i+1)
		}
	}
	if got := replay(t, a, lines); got != want {
		t.Fatalf("%s line by line:\n%swhole:\n%s", a.Name, got, want)
	}
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		var cuts []int
		most := []int{3, 40, 400, 5000}[seed]
		for at := r.IntN(most) + 1; at < len(a.Body); at += r.IntN(most) + 1 {
			cuts = append(cuts, at)
		}
		if got := replay(t, a, cuts); got != want {
			t.Fatalf("%s with random cuts, seed %d:\n%swhole:\n%s", a.Name, seed, got, want)
		}
	}
	return want
}

// replay decodes the answer as it comes from a connection that delivers it in the given pieces.
func replay(t *testing.T, a recorded.Answer, cuts []int) string {
	t.Helper()
	c := client(t, Options{Retries: 1, Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		kind := "application/json"
		if a.Stream() {
			kind = "text/event-stream"
		}
		return &http.Response{
			StatusCode: a.Status, Header: http.Header{"Content-Type": {kind}}, Request: req, ProtoMajor: 1,
			Body: io.NopCloser(&pieces{a.Body, 0, cuts}),
		}, nil
	})})
	return summary(ask(t, c))
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// pieces reads up to one cut at a time.
type pieces struct {
	data []byte
	at   int
	cuts []int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.at == len(p.data) {
		return 0, io.EOF
	}
	end := len(p.data)
	for len(p.cuts) > 0 && p.cuts[0] <= p.at {
		p.cuts = p.cuts[1:]
	}
	if len(p.cuts) > 0 {
		end = p.cuts[0]
	}
	n := copy(b, p.data[p.at:end])
	p.at += n
	return n, nil
}

// overSocket decodes the answer once more from a real server that flushes it at random places.
func overSocket(t *testing.T, a recorded.Answer, want string) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	var cuts []int
	for at := r.IntN(300) + 1; at < len(a.Body); at += r.IntN(300) + 1 {
		cuts = append(cuts, at)
	}
	c, _ := serve(t, openroutertest.Response{Body: a.Body, Cuts: cuts})
	c.opts.Retries = 1
	if got := summary(ask(t, c)); got != want {
		t.Errorf("%s over a socket:\n%swant:\n%s", a.Name, got, want)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s: got\n%swant\n%s", path, got, want)
	}
}
