package openroutertest

import "slices"

// A Plugin is what a Request has OpenRouter do besides.
type Plugin struct {
	ID      string `json:"id"`
	Engine  string `json:"engine"`
	Results int    `json:"max_results"`
}

// searches reports whether the request is a search of the web.
func (r *Request) searches() bool {
	return !r.Stream && slices.ContainsFunc(r.Plugins, func(p Plugin) bool { return p.ID == "web" })
}

type searchAnswer struct {
	ID      string         `json:"id"`
	Object  string         `json:"object"`
	Model   string         `json:"model"`
	Choices []searchChoice `json:"choices"`
	Usage   *wireUsage     `json:"usage"`
}

type searchChoice struct {
	Index   int           `json:"index"`
	Finish  string        `json:"finish_reason"`
	Message searchMessage `json:"message"`
}

type searchMessage struct {
	Role        string           `json:"role"`
	Content     string           `json:"content"`
	Annotations []map[string]any `json:"annotations,omitempty"`
}

// search answers whole, with the sources as annotations, as OpenRouter's documentation has it.
func (p *player) search() {
	if p.refuse() {
		return
	}
	m := searchMessage{Role: "assistant", Content: p.resp.Text}
	for _, s := range p.resp.Sources {
		m.Annotations = append(m.Annotations, map[string]any{"type": "url_citation", "url_citation": s})
	}
	p.header("application/json")
	p.raw(encode(searchAnswer{
		ID: generation(p.req.N), Object: "chat.completion", Model: p.wire().Model,
		Choices: []searchChoice{{Finish: "stop", Message: m}}, Usage: p.usage(),
	}))
}
