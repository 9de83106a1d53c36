package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// looking is a tool that reads a picture whose bytes are its argument.
func looking() agent.Tool {
	return agent.NewTool("look", permission.Reads, "Look.", func(_ context.Context, a noteArgs) (agent.Result, error) {
		return agent.Result{Text: "(picture)", Pictures: []agent.Picture{{
			Name: "a.png", MediaType: "image/png", Width: 1500, Height: 1000, Data: []byte(a.Text),
		}}}, nil
	})
}

// pictureOf opens the first picture of a request.
func pictureOf(t *testing.T, req chat.Request) ([]byte, error) {
	t.Helper()
	for _, m := range req.Messages {
		for _, p := range m.Parts {
			if c, ok := p.(chat.ToolCall); ok && len(c.Pictures()) > 0 {
				return req.Pictures(c.Pictures()[0])
			}
		}
	}
	t.Fatal("the request has no picture")
	return nil, nil
}

func pictureFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "pictures", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestAPictureIsOnDiskBeforeItIsTold, is sent from there, and is gone with a clear. What clients get holds none of it.
func TestAPictureIsOnDiskBeforeItIsTold(t *testing.T) {
	dir := t.TempDir()
	model := agenttest.NewModel(agenttest.Call(use("c1", "look", "the bytes")), agenttest.Say("one"), agenttest.Say("two"))
	host := agenttest.Open(t, dir, agenttest.Options(t, model, looking()))
	a := agenttest.Agent(t, host, "s")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "look")
	var told chat.ToolFinished
	for _, e := range agenttest.Finish(t, sub, "q1") {
		if e, ok := e.(chat.ToolFinished); ok {
			told = e
			if files := pictureFiles(t, dir); len(files) != 1 || filepath.Base(files[0]) != e.Output.Pictures[0].Hash {
				t.Errorf("the files are %q, the picture is %+v", files, e.Output.Pictures)
			}
		}
	}
	raw, err := json.Marshal(told)
	if err != nil || bytes.Contains(raw, []byte("the bytes")) || !bytes.Contains(raw, []byte(`"width":1500`)) {
		t.Errorf("clients are told %s, %v", raw, err)
	}
	if data, err := pictureOf(t, model.Requests()[1]); string(data) != "the bytes" || err != nil {
		t.Errorf("the request has %q, %v", data, err)
	}
	forged := told.Output.Pictures[0]
	forged.Hash = "../../host.lock"
	if _, err := model.Requests()[1].Pictures(forged); err == nil {
		t.Error("a picture of a client leads to another file")
	}
	if err := os.WriteFile(pictureFiles(t, dir)[0], []byte("other bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pictureOf(t, model.Requests()[1]); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged file gives %v", err)
	}
	if err := a.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if files := pictureFiles(t, dir); len(files) > 0 {
		t.Errorf("a clear leaves %q", files)
	}
}

// TestAPictureThatCannotBeKeptIsNoResult, but an error for the model.
func TestAPictureThatCannotBeKeptIsNoResult(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pictures"), nil, 0o600); err != nil { // no folder can be made there
		t.Fatal(err)
	}
	model := agenttest.NewModel(agenttest.Call(use("c1", "look", "x")), agenttest.Say("one"))
	host := agenttest.Open(t, dir, agenttest.Options(t, model, looking()))
	a := agenttest.Agent(t, host, "s")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "look")
	for _, e := range agenttest.Finish(t, sub, "q1") {
		if e, ok := e.(chat.ToolFailed); ok && strings.Contains(e.ErrorText, "keeping the picture a.png for the model") {
			return
		}
	}
	t.Error("the call has not failed")
}

// TestPicturesOfSessionsThatAreGoneAreSwept, but not what a fork may be about to use.
func TestPicturesOfSessionsThatAreGoneAreSwept(t *testing.T) {
	dir := t.TempDir()
	model := agenttest.NewModel(agenttest.Call(use("c1", "look", "x")), agenttest.Say("one"))
	opts := agenttest.Options(t, model, looking())
	now := time.Now()
	opts.Now = func() time.Time { return now }
	host := agenttest.Open(t, dir, opts)
	a := agenttest.Agent(t, host, "s")
	sub := subscribe(t, a)
	agenttest.Ask(t, a, "q1", "look")
	agenttest.Finish(t, sub, "q1")
	gone := filepath.Join(dir, "pictures", "gone")
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{0, 2 * time.Hour} {
		now = now.Add(later)
		if err := agent.SweepPictures(host, t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(gone); (err == nil) != (later == 0) {
			t.Errorf("after %v: %v", later, err)
		}
	}
	if files := pictureFiles(t, dir); len(files) != 1 {
		t.Errorf("of the session that lives there are %q", files)
	}
}

// TestAPictureIsCounted when it matters whether the next request fits.
func TestAPictureIsCounted(t *testing.T) {
	p := chat.Picture{Width: 1568, Height: 1045}
	if got := p.Tokens(); got < 2_000 || got > 2_400 {
		t.Errorf("a picture of 1568×1045 is said to cost %d tokens", got)
	}
	if got := (chat.Picture{Width: 1 << 60, Height: -1}).Tokens(); got != 0 {
		t.Errorf("a picture that cannot be is said to cost %d tokens", got)
	}
	call := chat.ToolCall{State: chat.OutputAvailable, Output: &chat.Output{Text: "(picture)", Pictures: []chat.Picture{p, p}}}
	if got := agent.EstimateResult(call); got < 4_000 || got > 5_000 {
		t.Errorf("a result with two of them is said to cost %d tokens", got)
	}
}
