package tui

import (
	"strings"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"github.com/coder-agent/coder/cmd/internal/tui/render"
)

// A paint is how text of the client itself looks.
type paint struct{ style render.Style }

func (p paint) on(s string) string { return p.style.Paint(s) }

// A palette is what everything is painted with.
type palette struct {
	theme *render.Theme

	faint, strong, user, good, bad, warn, accent, alarm, chosen paint
}

func newPalette(dark bool, profile colorprofile.Profile) *palette {
	t := render.NewTheme(dark, profile)
	return &palette{
		theme: t, faint: paint{t.Dim}, strong: paint{t.Strong}, user: paint{t.Accent}, good: paint{t.Success}, bad: paint{t.Error},
		warn: paint{t.Warning}, accent: paint{t.Accent}, alarm: paint{t.Error.Over(t.Banner)}, chosen: paint{t.Selected},
	}
}

// wrap breaks text into lines of at most width cells, at spaces where there are any. The text is plain, or has SGR sequences.
func wrap(text string, width int) []string {
	text = strings.ReplaceAll(strings.TrimRight(text, "\n"), "\t", "    ")
	return strings.Split(ansi.Wrap(text, max(width, 8), ""), "\n")
}

// broken breaks plain text into lines of exactly the characters that it has, for what must be read character by character.
func broken(text string, width int) []string {
	return render.Break(strings.ReplaceAll(strings.TrimRight(text, "\n"), "\t", "    "), max(width, 8))
}

// fitted breaks plain text at spaces, into lines that fit on every terminal, whatever it counts.
func fitted(text string, width int) []string {
	return render.Wrap(strings.ReplaceAll(strings.TrimRight(text, "\n"), "\t", "    "), max(width, 8))
}

// indent puts first before the first line and other before the rest.
func indent(first, other string, lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		if i == 0 {
			out[i] = first + l
		} else {
			out[i] = other + l
		}
	}
	return out
}

// cut shortens a line to width cells.
func cut(s string, width int) string { return render.Cut(s, max(width, 1)) }
