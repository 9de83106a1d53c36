//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The bare client is the yardstick: the least a Go program can do that talks to the same model about the same files. It
// keeps its messages in memory, runs what it is told and prints the text; it has no store, no permissions, no server and
// no retries.

type bareMessage struct {
	Role       string     `json:"role"`
	Content    string     `json:"content"`
	ToolCalls  []bareCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type bareCall struct {
	Index    int    `json:"index"`
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type bareChunk struct {
	Choices []struct {
		Delta struct {
			Content   string     `json:"content"`
			ToolCalls []bareCall `json:"tool_calls"`
		} `json:"delta"`
	} `json:"choices"`
}

type bareRequest struct {
	Model    string          `json:"model"`
	Stream   bool            `json:"stream"`
	Messages []bareMessage   `json:"messages"`
	Tools    json.RawMessage `json:"tools,omitempty"`
}

// bare runs the client: base URL, a file with a request whose system prompt and tools it sends, and the prompt.
func bare(ctx context.Context, base, like, prompt string) error {
	req := bareRequest{Model: "bench/model", Stream: true}
	if like != "" {
		if err := req.imitate(like); err != nil {
			return err
		}
	}
	req.Messages = append(req.Messages, bareMessage{Role: "user", Content: prompt})
	for {
		answer, err := bareAsk(ctx, base, req)
		if err != nil {
			return err
		}
		req.Messages = append(req.Messages, answer)
		if len(answer.ToolCalls) == 0 {
			return nil
		}
		for _, call := range answer.ToolCalls {
			result := bareTool(ctx, call.Function.Name, call.Function.Arguments)
			req.Messages = append(req.Messages, bareMessage{Role: "tool", ToolCallID: call.ID, Content: result})
		}
	}
}

// imitate takes over the tools and the system prompt of a request in a file, so that both clients send the same.
func (r *bareRequest) imitate(path string) error {
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var like struct {
		Messages []struct {
			Role    string          `json:"role"`
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
		Tools json.RawMessage `json:"tools"`
	}
	if err := json.Unmarshal(body, &like); err != nil {
		return err
	}
	r.Tools = like.Tools
	for _, m := range like.Messages {
		if m.Role != "system" {
			continue
		}
		var text string
		if json.Unmarshal(m.Content, &text) != nil {
			text = string(m.Content) // in parts: as long as it was is good enough
		}
		r.Messages = append(r.Messages, bareMessage{Role: m.Role, Content: text})
	}
	return nil
}

// bareAsk sends one request and prints the answer's text as it comes.
func bareAsk(ctx context.Context, base string, req bareRequest) (bareMessage, error) {
	answer := bareMessage{Role: "assistant"}
	body, err := json.Marshal(req)
	if err != nil {
		return answer, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return answer, fmt.Errorf("the model answered %s: %s", res.Status, text)
	}
	var text strings.Builder
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok || string(data) == "[DONE]" {
			continue
		}
		var chunk bareChunk
		if err := json.Unmarshal(data, &chunk); err != nil {
			return answer, err
		}
		for _, choice := range chunk.Choices {
			text.WriteString(choice.Delta.Content)
			if _, err := os.Stdout.WriteString(choice.Delta.Content); err != nil {
				return answer, err
			}
			answer.ToolCalls = bareMerge(answer.ToolCalls, choice.Delta.ToolCalls)
		}
	}
	answer.Content = text.String()
	return answer, lines.Err()
}

func bareMerge(calls, deltas []bareCall) []bareCall {
	for _, d := range deltas {
		for len(calls) <= d.Index {
			calls = append(calls, bareCall{Index: len(calls), Type: "function"})
		}
		c := &calls[d.Index]
		if d.ID != "" {
			c.ID = d.ID
		}
		if d.Function.Name != "" {
			c.Function.Name = d.Function.Name
		}
		c.Function.Arguments += d.Function.Arguments
	}
	return calls
}

// bareArgs are the arguments of all its tools in one.
type bareArgs struct {
	Path    string `json:"path"`
	Pattern string `json:"pattern"`
	Old     string `json:"old"`
	New     string `json:"new"`
	Content string `json:"content"`
	Command string `json:"command"`
}

// bareTool does what a call says, in the current folder, and returns the result or the error as text.
func bareTool(ctx context.Context, name, arguments string) string {
	var a bareArgs
	if err := json.Unmarshal([]byte(arguments), &a); err != nil {
		return err.Error()
	}
	result, err := bareRun(ctx, name, a)
	switch {
	case err != nil:
		return result + err.Error()
	case result == "":
		return "(no output)"
	}
	return result
}

func bareRun(ctx context.Context, name string, a bareArgs) (string, error) {
	switch name {
	case "read":
		data, err := os.ReadFile(a.Path)
		return string(data), err
	case "write":
		return "written", os.WriteFile(a.Path, []byte(a.Content), 0o644)
	case "edit":
		data, err := os.ReadFile(a.Path)
		if err != nil {
			return "", err
		}
		if bytes.Count(data, []byte(a.Old)) != 1 {
			return "", fmt.Errorf("old is not in %s exactly once", a.Path)
		}
		return "edited", os.WriteFile(a.Path, bytes.Replace(data, []byte(a.Old), []byte(a.New), 1), 0o644)
	case "bash":
		out, err := exec.CommandContext(ctx, "bash", "-c", a.Command).CombinedOutput()
		return string(out), err
	case "glob":
		found, err := filepath.Glob(a.Pattern)
		return strings.Join(found, "\n"), err
	case "grep":
		return bareGrep(a.Pattern)
	}
	return "", fmt.Errorf("there is no tool %s", name)
}

func bareGrep(pattern string) (string, error) {
	var found strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n := 0
		for line := range strings.Lines(string(data)) {
			n++
			if strings.Contains(line, pattern) {
				fmt.Fprintf(&found, "%s:%d:%s", path, n, line)
			}
		}
		return nil
	})
	return found.String(), err
}
