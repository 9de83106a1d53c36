package chat

import (
	"strings"
	"testing"
)

func TestAnswersBecomeWordsForTheModel(t *testing.T) {
	asks := []Ask{{Header: "DB", Text: "Which?", Options: []string{"a", "b"}}, {Header: "On", Text: "Where?", Multi: true}}
	for _, tt := range []struct {
		name    string
		answers [][]string
		want    string
		wrong   string
	}{
		{"options and own words", [][]string{{"b"}, {"linux", " my own "}}, "DB: b\nOn: linux; my own", ""},
		{"one is missing", [][]string{{"b"}}, "", "no answer to: On"},
		{"all are blank", [][]string{{" "}, {}}, "", "no answer to: DB, On"},
		{"one too many", [][]string{{"b"}, {"x"}, {"y"}}, "", "3 answers for 2 questions"},
		{"two where one is wanted", [][]string{{"a", "b"}, {"x"}}, "", `the question "DB" takes one answer, not 2`},
	} {
		got, err := Reply(asks, tt.answers)
		if got != tt.want || tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || err.Error() != tt.wrong) {
			t.Errorf("%s: Reply(%q) = %q, %v, want %q, %q", tt.name, tt.answers, got, err, tt.want, tt.wrong)
		}
	}
}

func TestWithoutAnAnswerTheModelHearsWhatItRecommended(t *testing.T) {
	got := Unanswered([]Ask{{Header: "DB", Options: []string{"a", "b"}}, {Header: "Why"}}, "nobody is there")
	if want := "nobody is there: decide yourself, and say what you assumed. You recommended DB: a"; got != want {
		t.Errorf("Unanswered gives %q, want %q", got, want)
	}
	if got := Unanswered([]Ask{{Header: "Why"}}, "nobody is there"); strings.Contains(got, "recommended") {
		t.Errorf("nothing was recommended, and Unanswered gives %q", got)
	}
}
