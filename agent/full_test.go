package agent_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/agenttest"
	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/permission"
)

// TestModeFullIsForSessionsThatBeginWithIt: it is set up with a session, where nothing bounds it only for who says so, and there
// is no other way to it.
func TestModeFullIsForSessionsThatBeginWithIt(t *testing.T) {
	k := newAsking(t, "c1")
	k.opts.Level = 0
	k.open()
	setup := func(name string, want agent.Setup) (agent.SetupResult, error) {
		v, err := rpc(t, agenttest.Agent(t, k.host, name), "setup", want)
		result, _ := v.(agent.SetupResult)
		return result, err
	}
	refused := func(deed string, err error, why string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s gives %v, want %q", deed, err, why)
		}
	}
	_, err := setup("a", agent.Setup{Mode: "full"})
	refused("without a sandbox it", err, "--no-sandbox")
	page := agent.WithCaller(t.Context(), agent.Caller{Connection: "p", Page: true})
	_, err = k.agent.Call(page, "setup", raws(`{"mode":"full","noSandbox":true}`))
	refused("a page", err, "a page may not")
	_, err = rpc(t, k.agent, "setMode", "full")
	refused("setMode", err, "begin with it")
	if _, err := setup("old", agent.Setup{Mode: "auto"}); err != nil {
		t.Fatal(err)
	}
	_, err = setup("old", agent.Setup{Mode: "full", NoSandbox: true})
	refused("a session that is there", err, "old is there already, in mode auto")

	if got, err := setup("a", agent.Setup{Mode: "full", NoSandbox: true}); err != nil || got.Mode != permission.ModeFull || !got.Created {
		t.Fatalf("a new session gets %+v, %v", got, err)
	}
	agenttest.Ask(t, k.agent, "q1", "do it")
	if end := reason(agenttest.Finish(t, k.sub, "q1")); end.Reason != chat.FinishStop || k.acted.Load() != 1 {
		t.Errorf("in mode full the turn ended with %+v, and the tool acted %d times", end, k.acted.Load())
	}
	k.close()

	k.open() // it keeps the mode, and can be set up as before, as by a client that comes back
	defer k.close()
	if got, err := setup("a", agent.Setup{Mode: "full"}); err != nil || got.Mode != permission.ModeFull {
		t.Errorf("after a restart the session is %+v, %v", got, err)
	}
	fork, err := k.agent.Fork(t.Context(), "", "f")
	if err != nil || fork.Mode != permission.ModeAuto {
		t.Errorf("its fork is %+v, %v", fork, err)
	}
	if _, err := rpc(t, k.agent, "setMode", "ask"); err != nil {
		t.Fatal(err)
	}
	_, err = rpc(t, k.agent, "setMode", "full")
	refused("the way back", err, "begin with it")

	opts := k.opts
	opts.Mode = permission.ModeFull
	if h, err := agent.Open(t.Context(), t.TempDir(), opts); err == nil {
		t.Errorf("a host has full as its default: %v", h.Close())
	}
}

// TestAPlannedPromptIsNotInModeFull: nobody typed it, and nobody watches.
func TestAPlannedPromptIsNotInModeFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newAsking(t)
		k.model = agenttest.NewModel(agenttest.Call(use("c1", "fetch", "x")), agenttest.Say("done"), agenttest.Call(use("c2", "fetch", "x")))
		k.opts.Model = k.model
		k.opts.Tools = []agent.Tool{fetching(&k.acted)}
		k.open()
		defer k.close()
		if _, err := rpc(t, k.agent, "setup", agent.Setup{Mode: "full", NoSandbox: true}); err != nil {
			t.Fatal(err)
		}
		agenttest.Ask(t, k.agent, "q1", "do it")
		if end := reason(agenttest.Finish(t, k.sub, "q1")); end.Reason != chat.FinishStop || k.acted.Load() != 1 {
			t.Errorf("the turn ended with %+v, and the tool acted %d times", end, k.acted.Load())
		}
		plan(t, k.agent, agent.Plan{Prompt: "again", In: "1h"})
		begun := time.Now()
		if end := finished(t, k.sub); end.Reason != chat.FinishApproval || k.acted.Load() != 1 || time.Since(begun) < time.Hour {
			t.Errorf("the planned turn ended with %+v, and the tool acted %d times", end, k.acted.Load())
		}
		if got := k.waiting(); len(got) != 1 || !strings.Contains(got[0].Reason, "mode auto") {
			t.Errorf("what waits is %+v", got)
		}
	})
}
