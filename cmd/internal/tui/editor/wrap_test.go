package editor

import (
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func TestRowsBreakWherePeopleWould(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		width      int
		want       []string
	}{
		{"behind blanks", "one two three", 8, []string{"one two ", "three"}},
		{"a blank stands behind a full row", "one two three", 7, []string{"one two ", "three"}},
		{"several blanks go on in the next", "one   two", 4, []string{"one  ", " two"}},
		{"a long word where the row is full", "a verylongword b", 6, []string{"a ", "verylo", "ngword ", "b"}},
		{"between wide characters", "日本語文章", 6, []string{"日本語", "文章"}},
		{"not before a sign that closes", "日本語。文章", 6, []string{"日本", "語。文", "章"}},
		{"several signs that close", "日本語」。文章", 6, []string{"日本", "語」。", "文章"}},
		{"half a wide character does not fit", "日本語", 5, []string{"日本", "語"}},
		{"before the first wide character", "abc日本語", 4, []string{"abc", "日本", "語"}},
		{"lines", "a\n\nb\n", 5, []string{"a\n", "\n", "b\n", ""}},
		{"a tab goes to the next stop", "a\tbcd", 6, []string{"a\t", "bcd"}},
		{"wider than a row", "日", 1, []string{"日", ""}},
		{"nothing", "", 5, []string{""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBuffer(measure{method: ansi.GraphemeWidth})
			b.reset(tt.text)
			b.setWidth(tt.width)
			var got []string
			for i, start := range b.rows {
				end := len(b.text)
				if i+1 < len(b.rows) {
					end = b.rows[i+1]
				}
				got = append(got, b.text[start:end])
			}
			if !slices.Equal(got, tt.want) || strings.Join(got, "") != tt.text {
				t.Errorf("the rows of %q at %d are %q, want %q", tt.text, tt.width, got, tt.want)
			}
		})
	}
}
