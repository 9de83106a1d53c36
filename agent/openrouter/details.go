package openrouter

import (
	"encoding/json"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// details merges the fragments of reasoning_details into the blocks that must be sent back: providers check them by
// signature, and a list of raw fragments does not pass.
type details struct {
	blocks []*block
	came   bool // a list came, if only an empty one: DeepSeek wants that back too
}

// A block is one entry of reasoning_details. Fields that are not known here are kept as they came.
type block struct {
	kind   string
	index  string // as JSON; "" when absent
	fields map[string]json.RawMessage
	grown  map[string]*strings.Builder // the fields that come in pieces
}

// pieced are the fields that are joined over the fragments of a block.
var pieced = [...]string{"text", "summary", "signature", "data"}

// readable names the field of a detail that holds its text; "" for types that are not for reading.
func readable(kind string) string {
	switch kind {
	case "reasoning.text":
		return "text"
	case "reasoning.summary":
		return "summary"
	}
	return ""
}

func (d *details) add(p piece) {
	d.came = d.came || p.detailed
	if p.more {
		last := d.blocks[len(d.blocks)-1]
		last.grown[readable(last.kind)].WriteString(p.reasoning)
		return
	}
	for _, raw := range p.details {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil || fields == nil {
			continue
		}
		b := &block{kind: plainText(fields["type"]), index: string(fields["index"]), fields: fields}
		if n := len(d.blocks); n > 0 && d.blocks[n-1].continues(b) {
			d.blocks[n-1].join(b)
			continue
		}
		b.grown = make(map[string]*strings.Builder)
		b.grow(fields)
		d.blocks = append(d.blocks, b)
	}
}

// continues reports whether next is a further fragment of b.
func (b *block) continues(next *block) bool {
	if b.kind != next.kind || b.index != next.index {
		return false
	}
	id, nextID := plainText(b.fields["id"]), plainText(next.fields["id"])
	switch b.kind {
	case "reasoning.text", "reasoning.summary":
		if id != "" && nextID != "" && id != nextID {
			return false
		}
		// A signature ends a block of Claude; what has text after it is the next one.
		signed := b.grown["signature"] != nil && b.grown["signature"].Len() > 0
		return !signed || plainText(next.fields["text"]) == ""
	case "reasoning.encrypted":
		return id == nextID
	}
	return false // of unknown types nothing is known, not even that they come in pieces
}

func (b *block) join(next *block) {
	b.grow(next.fields)
	for name, value := range next.fields {
		if string(value) != "null" || b.fields[name] == nil {
			b.fields[name] = value
		}
	}
}

func (b *block) grow(fields map[string]json.RawMessage) {
	for _, name := range pieced {
		text := plainText(fields[name])
		if text == "" {
			continue
		}
		if b.grown[name] == nil {
			b.grown[name] = new(strings.Builder)
		}
		b.grown[name].WriteString(text)
	}
}

// merged returns the blocks as one JSON array with sorted keys, nil when no list came.
func (d *details) merged() json.RawMessage {
	if !d.came {
		return nil
	}
	list := make([]map[string]json.RawMessage, 0, len(d.blocks))
	for _, b := range d.blocks {
		for name, text := range b.grown {
			b.fields[name], _ = marshal(text.String()) // a string: cannot fail
		}
		list = append(list, b.fields)
	}
	out, err := marshal(list)
	if err != nil {
		return nil // not reachable: every field was read from JSON
	}
	return out
}

// detailsText returns the readable text of details, for servers that send no plain reasoning beside them.
func detailsText(list []json.RawMessage) string {
	var text strings.Builder
	for _, raw := range list {
		var d struct {
			Text    string `json:"text"`
			Summary string `json:"summary"`
		}
		_ = json.Unmarshal(raw, &d) // what is not text is not shown
		text.WriteString(d.Text)
		text.WriteString(d.Summary)
	}
	return text.String()
}

// replayed returns what of a step's details may be sent back for a model of the given id: nothing of another family;
// no text of Claude or Gemini without its signature, which a cut stream leaves behind and the provider refuses; no id
// that is in seen. The ids that it returns are added to seen by way of note.
func replayed(step chat.Step, model string, seen map[string]int, note func(id string)) json.RawMessage {
	if len(step.Details) == 0 || !sameFamily(step, model) {
		return nil
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(step.Details, &list) != nil {
		return nil
	}
	kept := make([]map[string]json.RawMessage, 0, len(list))
	for _, d := range list {
		if plainText(d["type"]) == "reasoning.text" && plainText(d["signature"]) == "" && wantsSignature(d, step) {
			continue
		}
		if id := plainText(d["id"]); id != "" && plainText(d["type"]) == "reasoning.encrypted" {
			if _, twice := seen[id]; twice {
				continue
			}
			note(id)
		}
		kept = append(kept, d)
	}
	if len(kept) == 0 && len(list) > 0 {
		return nil
	}
	out, err := marshal(kept)
	if err != nil {
		return nil // not reachable: every field was read from JSON
	}
	return out
}

func wantsSignature(d map[string]json.RawMessage, step chat.Step) bool {
	format := plainText(d["format"])
	if format == "" || format == "unknown" {
		vendor := family(defaultTo(step.Served, step.Model))
		return vendor == "anthropic"
	}
	return strings.HasPrefix(format, "anthropic") || strings.HasPrefix(format, "google")
}

// sameFamily reports whether the model that is asked now is of the family that made the step. The same id always is,
// also when it is a router's.
func sameFamily(step chat.Step, model string) bool {
	if step.Model == model {
		return true
	}
	made, asked := family(step.Model), family(model)
	if made == "" || made == "openrouter" {
		made = family(step.Served)
	}
	return made != "" && made == asked
}

// family returns the vendor of a model id: "anthropic" of "~anthropic/claude-latest"; "" of an id without one.
func family(model string) string {
	vendor, _, found := strings.Cut(strings.TrimPrefix(model, "~"), "/")
	if !found {
		return ""
	}
	return vendor
}
