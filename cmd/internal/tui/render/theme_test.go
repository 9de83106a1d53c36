package render

import (
	"math"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
)

// TestContrast checks that text can be read: WCAG asks for a contrast of 4.5, of lines and line numbers 3. Backgrounds are
// those that terminals come with.
func TestContrast(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		dark        bool
		backgrounds []int
	}{
		{true, []int{0x000000, 0x1e1e2e, 0x282828}},
		{false, []int{0xffffff, 0xfdf6e3, 0xf5f5f5}},
	} {
		theme := NewTheme(tt.dark, colorprofile.TrueColor)
		painted := make(map[int]float64) // backgrounds of ours, and the contrast that code on them needs
		for _, ink := range theme.palette() {
			switch ink.style {
			case &theme.AddedLine, &theme.RemovedLine:
				painted[ink.rgb(tt.dark)] = 4.5
			case &theme.AddedWord, &theme.RemovedWord:
				painted[ink.rgb(tt.dark)] = 3
			}
		}
		for i, ink := range theme.palette() {
			if ink.back || ink.rgb(tt.dark) < 0 {
				continue
			}
			least := 4.5
			if ink.style == &theme.Rule || ink.style == &theme.LineNumber {
				least = 3
			}
			for _, background := range tt.backgrounds {
				if c := contrast(ink.rgb(tt.dark), background); c < least {
					t.Errorf("ink %d, %06x on %06x: contrast %.1f, want %.1f", i, ink.rgb(tt.dark), background, c, least)
				}
			}
			for background, needs := range painted {
				if c := contrast(ink.rgb(tt.dark), background); least > 3 && c < needs {
					t.Errorf("ink %d, %06x on our %06x: contrast %.1f, want %.1f", i, ink.rgb(tt.dark), background, c, needs)
				}
			}
		}
	}
}

// contrast is WCAG's ratio of two colours.
func contrast(a, b int) float64 {
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

func luminance(rgb int) float64 {
	linear := func(c int) float64 {
		v := float64(c&0xff) / 255
		if v <= 0.03928 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8) + 0.0722*linear(rgb)
}

// TestProfiles checks that a theme uses what its terminal has and no more.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		profile   colorprofile.Profile
		has, lack []string
	}{
		{colorprofile.NoTTY, nil, []string{"\x1b"}},
		{colorprofile.ASCII, []string{"\x1b[1"}, []string{"38;", "48;", ";3", ";9"}},
		{colorprofile.ANSI, []string{"\x1b[9"}, []string{"38;", "48;"}},
		{colorprofile.ANSI256, []string{"38;5;"}, []string{"38;2;"}},
		{colorprofile.TrueColor, []string{"38;2;"}, []string{"38;5;"}},
	} {
		for _, dark := range []bool{true, false} {
			theme := NewTheme(dark, tt.profile)
			var all strings.Builder
			for _, ink := range theme.palette() {
				all.WriteString(ink.style.Paint("x"))
			}
			for _, s := range tt.has {
				if !dark && s == "\x1b[9" {
					continue // the bright colours are for a dark background
				}
				if !strings.Contains(all.String(), s) {
					t.Errorf("%v, dark %t: no style has %q", tt.profile, dark, s)
				}
			}
			for _, s := range tt.lack {
				if strings.Contains(all.String(), s) {
					t.Errorf("%v, dark %t: a style has %q: %q", tt.profile, dark, s, all.String())
				}
			}
		}
	}
}
