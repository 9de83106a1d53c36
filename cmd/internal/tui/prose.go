package tui

import (
	"github.com/coder-agent/coder/agent/plain"
	"github.com/coder-agent/coder/cmd/internal/tui/render"
)

// markdown returns a renderer for prose of the model.
func (m *model) markdown() *render.Markdown { return render.NewMarkdown(m.paint.theme, m.width) }

// diff renders a unified diff.
func (m *model) diff(unified string, width, most int) []string {
	return render.Diff(m.paint.theme, plain.Output(unified), width, most)
}
