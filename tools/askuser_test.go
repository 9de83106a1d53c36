package tools

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
)

func TestQuestionsAreReadInTheWordsOfOtherAgents(t *testing.T) {
	long := strings.Repeat("x", 60)
	tests := []struct {
		name, input string
		want        []chat.Ask
	}{
		{
			"as the schema says", `{"questions":[{"header":"DB","text":"Which?","options":["a","b"],"multi":true}]}`,
			[]chat.Ask{{Header: "DB", Text: "Which?", Options: []string{"a", "b"}, Multi: true}},
		},
		{
			"with labels and descriptions", `{"questions":[{"header":"DB","question":"Which?","multiSelect":false,"options":[{"label":"a","description":"it is small"},{"value":"b"}]}]}`,
			[]chat.Ask{{Header: "DB", Text: "Which?", Options: []string{"a (it is small)", "b"}}},
		},
		{"without a list around one", `{"questions":{"header":"DB","text":"Which?"}}`, []chat.Ask{{Header: "DB", Text: "Which?"}}},
		{"the text alone", `{"questions":["Which?"]}`, []chat.Ask{{Header: "Which?", Text: "Which?"}}},
		{"a header is made of a long text", `{"questions":[{"text":"` + long + `"}]}`, []chat.Ask{{Header: long[:39] + "…", Text: long}}},
	}
	for _, tt := range tests {
		if got := AskUser().Asks(json.RawMessage(tt.input)); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %s asks %+v, want %+v", tt.name, tt.input, got, tt.want)
		}
	}
}

func TestQuestionsThatCannotBeShownAreRefused(t *testing.T) {
	for input, want := range map[string]string{
		`{"questions":[]}`:                                                             "0 questions: ask 1 to 3",
		`{"questions":["a?","b?","c?","d?"]}`:                                          "4 questions: ask 1 to 3",
		`{"questions":["a?","a?"]}`:                                                    `question 2: another has the header "a?"`,
		`{"questions":[{"header":"x"}]}`:                                               "question 1: it has no text",
		`{"questions":[{"text":"a?","options":[" "]}]}`:                                "question 1: option 1 is empty",
		`{"questions":[{"text":"a?","options":7}]}`:                                    "options must be a list of strings",
		`{"questions":[{"text":"a?","options":["1","2","3","4","5"]}]}`:                "question 1: 5 options: at most 4",
		`{"questions":[{"text":"a?","header":"` + strings.Repeat("h", 41) + `"}]}`:     "its header is longer than 40 characters",
		`{"questions":[{"text":"` + strings.Repeat("t", 2001) + `"}]}`:                 "its text is longer than 2000 characters",
		`{"questions":[{"text":"a?","options":["` + strings.Repeat("o", 301) + `"]}]}`: "option 1 is longer than 300 characters",
	} {
		if _, err := AskUser().Action(json.RawMessage(input)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", input, err, want)
		}
	}
}
