package tui

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/plain"
)

// exportCommand writes the session to a file; its ending chooses the form.
func (m *model) exportCommand(name string) tea.Cmd {
	if name == "" {
		name = strings.ReplaceAll(m.about.Name, "/", "-") + ".md"
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(m.doc.Workdir, name)
	}
	form, ok := forms[filepath.Ext(name)]
	if !ok {
		m.fail("a session is exported as .md, .json or .html", "")
		return nil
	}
	return m.whole("exporting", func(m *model, messages []chat.Message) tea.Cmd {
		data, err := form(m, messages)
		if err == nil {
			err = writeNew(name, data)
		}
		if err != nil {
			m.failed("exporting", err)
			return nil
		}
		m.tell("written: " + name)
		return nil
	})
}

// writeNew writes a file that is not there yet.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

var forms = map[string]func(*model, []chat.Message) ([]byte, error){
	".json": func(_ *model, messages []chat.Message) ([]byte, error) { return json.MarshalIndent(messages, "", "  ") },
	".md":   func(m *model, messages []chat.Message) ([]byte, error) { return []byte(m.asMarkdown(messages)), nil },
	".html": func(m *model, messages []chat.Message) ([]byte, error) { return []byte(m.asHTML(messages)), nil },
}

func (m *model) heading() string {
	if m.doc.Title != "" {
		return plain.Line(m.doc.Title, 200)
	}
	return m.about.Name
}

// asMarkdown is the session as a text that reads well as it is.
func (m *model) asMarkdown(messages []chat.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nSession %s in %s, model %s.\n", m.heading(), m.about.Name, plain.Line(m.doc.Workdir, 400), plain.Line(m.doc.Model, 80))
	for _, message := range messages {
		if message.Role != chat.Assistant {
			fmt.Fprintf(&b, "\n## You\n\n%s\n", plain.Text(message.Text()))
			continue
		}
		b.WriteString("\n## coder\n")
		for _, p := range message.Parts {
			switch p := p.(type) {
			case chat.Text:
				fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(plain.Text(p.Text)))
			case chat.Steering:
				fmt.Fprintf(&b, "\n## You, meanwhile\n\n%s\n\n## coder\n", plain.Text(p.Text))
			case chat.ToolCall:
				text := plain.Output(p.Result())
				fence := fenceFor(text)
				fmt.Fprintf(&b, "\n**%s** %s\n\n%s\n%s\n%s\n", plain.Line(p.Name, 60), m.summary(p), fence, strings.TrimRight(text, "\n"), fence)
			}
		}
	}
	return b.String()
}

// fenceFor is a fence that the text does not hold.
func fenceFor(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence
}

// asHTML is the session as a page that needs nothing else.
func (m *model) asHTML(messages []chat.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<!doctype html><html><head><meta charset="utf-8"><title>%s</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color-scheme:light dark}
pre{white-space:pre-wrap;overflow-wrap:anywhere}.you{border-left:4px solid #0891b2;padding-left:1em}details{margin:.5em 0}
</style></head><body><h1>%[1]s</h1>
`, plain.HTML(m.heading()))
	for _, message := range messages {
		if message.Role != chat.Assistant {
			fmt.Fprintf(&b, "<pre class=\"you\">%s</pre>\n", plain.HTML(message.Text()))
			continue
		}
		for _, p := range message.Parts {
			switch p := p.(type) {
			case chat.Text:
				fmt.Fprintf(&b, "<pre>%s</pre>\n", plain.HTML(strings.TrimSpace(p.Text)))
			case chat.Steering:
				fmt.Fprintf(&b, "<pre class=\"you\">%s</pre>\n", plain.HTML(p.Text))
			case chat.ToolCall:
				fmt.Fprintf(&b, "<details><summary>%s %s</summary><pre>%s</pre></details>\n", plain.HTML(p.Name), plain.HTML(m.summary(p)), plain.HTML(p.Result()))
			}
		}
	}
	return b.String() + "</body></html>\n"
}
