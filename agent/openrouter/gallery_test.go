package openrouter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/openrouter/openroutertest"
)

// pictured is an answer with a step for each number of pictures that a call of it has read.
func pictured(size int, steps ...int) chat.Message {
	m := chat.Message{ID: "a", Role: chat.Assistant}
	n := 0
	for i, pictures := range steps {
		out := &chat.Output{Text: "(picture)"}
		for range pictures {
			n++
			out.Pictures = append(out.Pictures, chat.Picture{Name: fmt.Sprintf("p%d.png", n), MediaType: "image/png", Hash: fmt.Sprint(n), Bytes: size})
		}
		m.Parts = append(m.Parts, chat.StepStart{}, chat.ToolCall{ID: fmt.Sprintf("c%d", i), Name: "read", State: chat.OutputAvailable, Input: []byte(`{}`), Output: out})
		m.Steps = append(m.Steps, chat.Step{Status: chat.StepAnswered})
	}
	return m
}

// pictureRequest asks after a message; the bytes of each picture are its name, or lost.
func pictureRequest(m chat.Message, lost ...string) chat.Request {
	return chat.Request{
		Model: "m", Session: "s", Messages: []chat.Message{user("u", "look"), m},
		Pictures: func(p chat.Picture) ([]byte, error) {
			if slices.Contains(lost, p.Name) {
				return nil, errors.New("gone")
			}
			return []byte(p.Name), nil
		},
	}
}

func encoded(t *testing.T, v *conversation, req chat.Request) string {
	t.Helper()
	body, err := v.encode(req, true, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestPicturesStandBehindAllResultsOfTheirStep: a provider wants the results first, and takes pictures from users only.
func TestPicturesStandBehindAllResultsOfTheirStep(t *testing.T) {
	m := pictured(10, 1, 1)
	m.Parts = append(m.Parts, chat.ToolCall{ID: "d", Name: "glob", State: chat.OutputAvailable, Input: []byte(`{}`), Output: &chat.Output{Text: "a.go"}})
	got := encoded(t, &conversation{}, pictureRequest(m))
	want := `"content":"a.go","tool_call_id":"d"},{"role":"user","content":[{"type":"text","text":"[picture for the tool result above: p2.png]"},` +
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,cDIucG5n"}}]}`
	if !strings.HasSuffix(got, want) {
		t.Errorf("the request ends\n%s\nwant\n%s", got[max(0, len(got)-2*len(want)):], want)
	}
}

// TestRequestsWithPicturesExtendEachOther until too many are there: then the older half goes, at once.
func TestRequestsWithPicturesExtendEachOther(t *testing.T) {
	v := &conversation{}
	before, breaks := "", 0
	var steps []int
	for range 3 * mostShown {
		steps = append(steps, 1)
		req := pictureRequest(pictured(1000, steps...))
		now := encoded(t, v, req)
		if now != encoded(t, &conversation{}, req) {
			t.Fatalf("with %d pictures the request depends on what was encoded before it", len(steps))
		}
		if !strings.HasPrefix(now, before) {
			breaks++
		}
		if n := strings.Count(now, `"image_url":{`); n > mostShown || n < min(len(steps), mostShown/2) {
			t.Errorf("of %d pictures %d are sent", len(steps), n)
		}
		if n := strings.Count(now, "is left out here"); n+strings.Count(now, `"image_url":{`) != len(steps) {
			t.Errorf("of %d pictures %d are said to be left out", len(steps), n)
		}
		before = now
	}
	if breaks > 4 {
		t.Errorf("%d of %d requests do not extend the one before", breaks, len(steps))
	}
}

func TestLeftOut(t *testing.T) {
	for _, tt := range []struct {
		name  string
		size  int
		steps []int
		want  int
	}{
		{"none", 1, nil, 0},
		{"as many as fit", 1, []int{mostShown}, 0},
		{"one more", 1, []int{mostShown, 1}, mostShown/2 + 1},
		{"too many bytes", mostShownBytes / 4, []int{2, 3}, 3},
		{"one that is too large alone", mostShownBytes * 2, []int{1, 1}, 1},
	} {
		if got := leftOut([]chat.Message{pictured(tt.size, tt.steps...)}); got != tt.want {
			t.Errorf("%s: %d are left out, want %d", tt.name, got, tt.want)
		}
	}
}

// TestPicturesAreLeftOut with a note for the model in the place of each.
func TestPicturesAreLeftOut(t *testing.T) {
	lost := encoded(t, &conversation{}, pictureRequest(pictured(10, 2), "p1.png"))
	if !strings.Contains(lost, "[the picture p1.png is left out here: its file is gone") || strings.Count(lost, `"image_url":{`) != 1 {
		t.Errorf("with a lost file: %s", lost)
	}
	req := pictureRequest(pictured(10, 2))
	req.Blind = true
	req.Messages[0].Parts = append(req.Messages[0].Parts, chat.File{MediaType: "image/png", URL: pixel, Filename: "mine.png"})
	req.Messages[1].Parts = append(req.Messages[1].Parts, chat.File{MediaType: "image/png", URL: pixel})
	blind := encoded(t, &conversation{}, req)
	for _, want := range []string{"the picture p2.png is left out here: this model takes no pictures", "[attached picture mine.png: left out"} {
		if !strings.Contains(blind, want) {
			t.Errorf("%s lacks %q", blind, want)
		}
	}
	if strings.Contains(blind, "base64") {
		t.Errorf("a picture is left in %s", blind)
	}
}

// TestAModelThatRefusesPicturesIsAskedWithout: not every server says what its models take.
func TestAModelThatRefusesPicturesIsAskedWithout(t *testing.T) {
	for _, fault := range []openroutertest.Response{
		{Fault: "404", Message: "No endpoints found that support image input"},
		{Fault: "500", Message: "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"},
	} {
		c, s := serve(t, fault, openroutertest.Response{Text: "I see nothing."}, openroutertest.Response{Text: "Still nothing."})
		req := pictureRequest(pictured(10, 1))
		if _, err := collect(c, t.Context(), req); err != nil {
			t.Fatal(err)
		}
		if _, err := collect(c, t.Context(), req); err != nil {
			t.Fatal(err)
		}
		requests := s.Requests()
		if len(requests) != 3 {
			t.Fatalf("%d requests, want 3", len(requests))
		}
		for i, want := range []bool{true, false, false} {
			if strings.Contains(string(requests[i].Body), "image_url") != want {
				t.Errorf("request %d holds the picture: %t, want %t", i, !want, want)
			}
		}
	}
}

// TestABusyServerKeepsItsPictures: only a refusal of pictures takes them out.
func TestABusyServerKeepsItsPictures(t *testing.T) {
	c, s := serve(t, openroutertest.Response{Fault: "429", Message: "too many requests for vision models"}, openroutertest.Response{Text: "A gradient."})
	if _, err := collect(c, t.Context(), pictureRequest(pictured(10, 1))); err != nil {
		t.Fatal(err)
	}
	if last := s.Requests()[1]; !strings.Contains(string(last.Body), "image_url") {
		t.Errorf("the picture is gone from %s", last.Body)
	}
}
