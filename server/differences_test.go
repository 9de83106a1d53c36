package server

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// differences are where our server does another thing than the recorded one and means to. Each changes a recording to
// what ours is to do; testdata/agents/README.md says why.
var differences = map[string]func([]line) []line{
	// The recorded application's state is a counter that clients own. Ours they may not set.
	"dup_pk":     withoutState,
	"noprotocol": withoutState,
	"readonly":   withoutState,

	// What makes the recorded server begin a turn is a method of its application; that another appends a message without
	// a turn has no counterpart.
	"server_initiated": func(lines []line) []line {
		appended := slices.IndexFunc(lines, func(l line) bool { return bytes.Contains(l.Frame, []byte("persistOne")) })
		lines = lines[:appended]
		for i, l := range lines {
			if l.Dir == "c2s" {
				lines[i] = line{Dir: "server", Conn: "si1"}
			}
		}
		return lines
	},

	// The recorded server begins with the parent's list of MCP servers, before the child's frames.
	"subagent": func(lines []line) []line { return slices.Delete(lines, 1, 2) },

	// Ours has no custom base path, and refuses a slash in a name however it is written.
	"connect_basepath_subpath": func(lines []line) []line {
		return slices.DeleteFunc(lines, func(l line) bool { return l.Conn != "B" })
	},

	// A clear in mid-stream leaves nothing of it: the turn ends before the transcript goes.
	"chat_clear": func(lines []line) []line {
		for i, l := range lines {
			switch {
			case l.Dir == "http":
				lines[i].Body = "[]"
			case l.Conn == "B" && bytes.Contains(l.Frame, []byte(`"state":"streaming"`)):
				lines[i].Frame = bytes.Replace(l.Frame, []byte(`"messages":[`), []byte(`"messages":[{"id":"u-af00dc31","role":"user","parts":[{"type":"text","text":"x"}]},`), 1)
			case l.Conn == "B" && bytes.Contains(l.Frame, []byte(`"outcome":"aborted"`)):
				lines[i-1], lines[i] = lines[i], lines[i-1]
			}
		}
		return lines
	},

	// The recorded server leaves a client hanging whose handler throws, and has handlers that answer nothing; its
	// tool-output-error after a tool-input-error repeats what is known.
	"chat_errors": func(lines []line) []line {
		lines = slices.DeleteFunc(lines, func(l line) bool {
			if bytes.Contains(l.Frame, []byte("65a51d50")) || bytes.Contains(l.Frame, []byte("69d1ce46")) {
				return true
			}
			again := bytes.Contains(l.Frame, []byte("tool-output-error"))
			return again && (bytes.Contains(l.Frame, []byte("call_31")) || bytes.Contains(l.Frame, []byte("call_33")))
		})
		for i, l := range lines {
			if l.Dir == "http" {
				lines[i].Body = without(l.Body, "u-5628d73b", "u-4dce2cf1")
			}
		}
		return lines
	},
}

// skipped are the frames that do not count: the recorded server passes on what a client sent, ours what it has stored.
var skipped = map[string]string{"chat_errors": "messages"}

func withoutState(lines []line) []line {
	return slices.DeleteFunc(lines, func(l line) bool {
		return l.Dir == "c2s" && l.Conn != "readonly" && strings.Contains(string(l.Frame), `"cf_agent_state"`)
	})
}

// without drops messages from a JSON transcript.
func without(body string, ids ...string) string {
	var list []struct {
		ID string `json:"id"`
	}
	var raw []json.RawMessage
	if json.Unmarshal([]byte(body), &list) != nil || json.Unmarshal([]byte(body), &raw) != nil {
		return body
	}
	var kept []json.RawMessage
	for i, m := range list {
		if !slices.Contains(ids, m.ID) {
			kept = append(kept, raw[i])
		}
	}
	out, err := json.Marshal(kept)
	if err != nil {
		return body
	}
	return string(out)
}
