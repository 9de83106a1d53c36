package agent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/coder-agent/coder/agent/chat"
	"github.com/coder-agent/coder/agent/store"
)

// Bounds of the tools that a client may declare: what they say is sent with every request to the model.
const (
	maxClientTools       = 64
	maxClientDescription = 8 << 10   // bytes
	maxClientSchema      = 32 << 10  // bytes
	maxClientDeclared    = 256 << 10 // bytes of all together
)

// A ClientToolError says why the tools that a client declares are not taken.
type ClientToolError struct {
	Name string // of the tool; "" when it is about all of them
	Why  string
}

func (e *ClientToolError) Error() string {
	if e.Name == "" {
		return "the client's tools: " + e.Why
	}
	return fmt.Sprintf("the client's tool %q: %s", e.Name, e.Why)
}

// clientToolJSON is a tool as clients declare it and as the store keeps it.
type clientToolJSON struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

// ClientTools reads what a client declares: a JSON list of {name, description?, parameters?}. The tools are sorted by
// name, so that the same set makes the same request whatever the order it came in, and the provider's cache is hit. No
// list, or an empty one, gives an empty slice: the client has no tools. A list that cannot be taken is a
// *ClientToolError.
func (h *Host) ClientTools(declared json.RawMessage) ([]chat.ToolSpec, error) {
	if len(declared) > maxClientDeclared {
		return nil, &ClientToolError{Why: fmt.Sprintf("they may have %d KiB together", maxClientDeclared>>10)}
	}
	var list []clientToolJSON
	if len(declared) > 0 {
		if err := json.Unmarshal(declared, &list); err != nil {
			return nil, &ClientToolError{Why: "they are no list of {name, description, parameters}"}
		}
	}
	if len(list) > maxClientTools {
		return nil, &ClientToolError{Why: fmt.Sprintf("there may be %d", maxClientTools)}
	}
	specs := make([]chat.ToolSpec, 0, len(list))
	for _, t := range list {
		spec, why := h.clientTool(t)
		if why != "" {
			return nil, &ClientToolError{Name: t.Name, Why: why}
		}
		specs = append(specs, spec)
	}
	slices.SortFunc(specs, func(a, b chat.ToolSpec) int { return cmp.Compare(a.Name, b.Name) })
	for i := range specs[min(1, len(specs)):] {
		if specs[i].Name == specs[i+1].Name {
			return nil, &ClientToolError{Name: specs[i].Name, Why: "it is declared twice"}
		}
	}
	return specs, nil
}

// clientTool checks one tool; why is empty when it may be offered to the model.
func (h *Host) clientTool(t clientToolJSON) (spec chat.ToolSpec, why string) {
	ours := strings.HasPrefix(strings.ToLower(t.Name), "mcp__") // those of MCP servers
	for name := range h.tools {
		ours = ours || strings.EqualFold(name, t.Name)
	}
	switch {
	case !toolName(t.Name):
		return spec, "a name has 1 to 64 of the characters A-Z a-z 0-9 _ -"
	case ours:
		return spec, "the agent has a tool of its own with this name"
	case len(t.Description) > maxClientDescription:
		return spec, fmt.Sprintf("its description may have %d KiB", maxClientDescription>>10)
	case len(t.Parameters) > maxClientSchema:
		return spec, fmt.Sprintf("its parameters may have %d KiB", maxClientSchema>>10)
	}
	schema, err := objectSchema(t.Parameters)
	if err != nil {
		return spec, "its parameters are no JSON schema of an object: " + err.Error()
	}
	return chat.ToolSpec{Name: t.Name, Description: t.Description, Schema: schema}, ""
}

func toolName(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// objectSchema checks a schema of arguments and gives it without blanks. No schema is that of an object without
// properties. References are not followed: they could name anything.
func objectSchema(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage(`{"type":"object","properties":{}}`), nil
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(raw, &schema); err != nil {
		return nil, err
	}
	if raw[0] != '{' || schema.Type != "object" && (schema.Type != "" || len(schema.Types) > 0) {
		return nil, fmt.Errorf("its type is not object")
	}
	if _, err := schema.Resolve(nil); err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, raw)
	return compact.Bytes(), err
}

// encodeTools gives the tools as the store keeps them; "" for none.
func encodeTools(specs []chat.ToolSpec) (string, error) {
	if len(specs) == 0 {
		return "", nil
	}
	list := make([]clientToolJSON, len(specs))
	for i, s := range specs {
		list[i] = clientToolJSON{Name: s.Name, Description: s.Description, Parameters: s.Schema}
	}
	data, err := json.Marshal(list)
	return string(data), err
}

// noTools stands in a waiting turn's row for a request without tools: "" leaves things as they are.
const noTools = "[]"

// decodeTools reads what encodeTools gave. A tool whose name one of ours has got meanwhile is left out: whoever calls the
// name means ours.
func (h *Host) decodeTools(kept string) (specs []chat.ToolSpec, err error) {
	if kept == "" {
		return nil, nil
	}
	var list []clientToolJSON
	if err := json.Unmarshal([]byte(kept), &list); err != nil {
		return nil, fmt.Errorf("the client's tools on disk: %w", err)
	}
	for _, t := range list {
		if _, ours := h.tools[t.Name]; !ours {
			specs = append(specs, chat.ToolSpec{Name: t.Name, Description: t.Description, Schema: t.Parameters})
		}
	}
	return specs, nil
}

// putTools returns what makes the stored client tools those of a request; kept is what encodeTools gave, noTools, or ""
// for a request that leaves things as they are.
func (s *state) putTools(kept string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		switch kept {
		case "":
			return nil
		case noTools:
			return tx.PutClientTools(s.agent.key, "")
		}
		return tx.PutClientTools(s.agent.key, kept)
	}
}

// requestTools encodes what a request says of the client's tools: nil leaves things as they are.
func requestTools(specs []chat.ToolSpec) (string, error) {
	kept, err := encodeTools(specs)
	if specs != nil && kept == "" {
		kept = noTools
	}
	return kept, err
}

// offered are the tools for a request to the model: ours first, so that the client's do not move them.
func (s *state) offered() []chat.ToolSpec {
	ours := slices.DeleteFunc(s.agent.host.offered(s.session.Model), func(spec chat.ToolSpec) bool {
		return !s.may(s.agent.host.tools[spec.Name])
	})
	return slices.Concat(ours, s.tools)
}

// offered are our own tools for a model, always in the same order.
func (h *Host) offered(modelID string) []chat.ToolSpec {
	specs := make([]chat.ToolSpec, 0, len(h.specs))
	for _, spec := range h.specs {
		if fits := h.tools[spec.Name].Models; fits == nil || fits(modelID) {
			specs = append(specs, spec)
		}
	}
	return specs
}
