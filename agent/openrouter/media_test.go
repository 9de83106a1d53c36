package openrouter

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

const pixel = "data:image/png;base64,iVBORw0KGgo="

func TestAnswersCiteAndShow(t *testing.T) {
	c, _ := serve(t, openroutertest.Response{
		Text: "See there.",
		Sources: []openroutertest.Source{
			{URL: "https://example.com/a", Title: "A"},
			{URL: "https://example.com/a", Title: "A again"},
			{URL: "javascript:alert(1)"},
			{URL: "file:///etc/passwd"},
			{URL: "https://" + strings.Repeat("x", 3<<10)},
			{URL: "http://example.com/b"},
		},
		Images: []string{pixel, "data:text/html;base64,PGI+", "data:image/png;base64," + strings.Repeat("A", 9<<20)},
	})
	events, err := ask(t, c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	text := ""
	for _, e := range events {
		switch e := e.(type) {
		case chat.SourceURL:
			got = append(got, e.URL+" "+e.Title)
		case chat.FileMade:
			got = append(got, e.MediaType+" "+e.URL)
		case chat.TextDelta:
			text += e.Delta
		}
	}
	want := []string{"https://example.com/a A", "http://example.com/b ", "image/png " + pixel}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !strings.HasPrefix(text, "See there.") || !strings.Contains(text, "a kind that is not known") || !strings.Contains(text, "of 9 MiB; at most 8") {
		t.Errorf("the text is %q", text)
	}
}

// TestAPictureAloneIsAnAnswer, and goes back to the model with the next request.
func TestAPictureAloneIsAnAnswer(t *testing.T) {
	c, _ := serve(t, openroutertest.Response{Images: []string{pixel}})
	events, err := ask(t, c)
	if err != nil || len(events) != 2 {
		t.Fatalf("events = %+v, %v", events, err)
	}
	m := assistant("a", []chat.Part{chat.File{MediaType: "image/png", URL: pixel}})
	got := answeredMessages(m.Parts, nil, &gallery{})
	if len(got) != 1 || got[0].Content != madePicture || len(got[0].Images) != 1 || got[0].Images[0].Image.URL != pixel {
		t.Errorf("the answer goes back as %+v", got)
	}
}

// TestARefusedAttachmentIsNamed: the error says what the model may not take.
func TestARefusedAttachmentIsNamed(t *testing.T) {
	file := func(kind, url string) chat.Message {
		return chat.Message{ID: "u", Role: chat.User, Parts: []chat.Part{chat.Text{Text: "look"}, chat.File{MediaType: kind, URL: url}}}
	}
	for _, tt := range []struct {
		name, fault, message string
		prompt               chat.Message
		hint                 string
	}{
		{"a picture", "404", "No endpoints found that support image input", file("image/png", pixel), "a picture is attached"},
		{"a PDF", "400", "This model does not support file content types", file("application/pdf", "data:application/pdf;base64,JVBERi0="), "a file is attached"},
		{"nothing attached", "404", "No endpoints found that support image input", user("u", "look"), "check the model id"},
		{"another reason", "404", "No such model", file("image/png", pixel), "check the model id"},
	} {
		c, s := serve(t, openroutertest.Response{Fault: tt.fault, Message: tt.message, Repeat: true})
		_, err := ask(t, c, tt.prompt)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Error(), tt.message) || !strings.Contains(e.Hint(), tt.hint) {
			t.Errorf("%s: %v with the hint %q, want %q", tt.name, err, e.Hint(), tt.hint)
		}
		if e.Retryable() || len(s.Requests()) != 1 {
			t.Errorf("%s: it was asked %d times", tt.name, len(s.Requests()))
		}
	}
}
