package main

import (
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/openrouter"
	"github.com/coder-agent/coder/agent/snapshot"
	"github.com/coder-agent/coder/tools"
	"github.com/coder-agent/coder/tools/sandbox"
)

// agentOptions joins the provider and the tools to the host of the agents, which ends the jobs. port is where it listens, 0 before it does.
func agentOptions(c config, environ []string, box *sandbox.Box, jobs *tools.Jobs, port func() int) (agent.Options, error) {
	model, err := openrouter.New(openrouter.Options{
		Key: c.key(), BaseURL: c.BaseURL, Model: c.Model, Title: "coder", Proxy: http.ProxyFromEnvironment,
	})
	if err != nil {
		return agent.Options{}, err
	}
	denyAfter, err := agent.ParseOnAsk(c.OnAsk)
	if err != nil {
		return agent.Options{}, err
	}
	kept, unkept := snapshots(c.DataDir)
	return agent.Options{
		Model: model, Provider: provider(c.BaseURL), ModelID: c.Model, Tools: tools.All(tools.Options{Sandbox: box, Jobs: jobs, Port: port, Search: c.search(model)}), Jobs: jobs, Mode: c.Mode, StepLimit: c.MaxSteps, MaxCost: c.MaxCost,
		Retention: c.Keep, Rules: c.Rules, Trust: c.trusted(), Private: []string{filepath.Dir(configFile())}, DenyAfter: denyAfter,
		Level: box.Level(), Sandbox: box.Name(), Wrote: box.Wrote,
		Snapshots: kept, Unkept: unkept,
		System: systemPrompt(environ), Environ: commandEnviron(environ, c.PassEnv),
	}, nil
}

// snapshots is where what turns change is kept, or why it is not: it needs git.
func snapshots(dataDir string) (kept *snapshot.Store, unkept string) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, "the host found no git when it started"
	}
	return snapshot.New(dataDir, git), ""
}

// ruled are the names that a rule can have: those of the tools, and network for commands that need it.
var ruled = sync.OnceValue(func() []string {
	names := []string{"network"}
	for _, tool := range tools.All(tools.Options{Search: new(tools.Search)}) {
		names = append(names, tool.Name)
	}
	return names
})

// provider names a provider by its base URL, without what may be secret of it. It is written to the store.
func provider(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return baseURL
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
