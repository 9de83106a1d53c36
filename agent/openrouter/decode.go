package openrouter

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"unicode/utf8"
)

// A decoder reads the events of one stream. Most events of a stream are equal but for one string, the delta; reading
// them all with encoding/json would be the largest cost of a stream. So the decoder keeps the last such event as a
// template: when the next has the same bytes but for that string, it says the same with that string.
type decoder struct {
	template *template
	misses   int // events in a row that made no template, or one that no event has matched
}

// Bounds of learning: in streams whose events all differ, such as those with padding, it would be in vain; a long event
// is rarely the first of many.
const (
	mostMisses  = 32
	mostLearned = 4 << 10 // bytes
)

// A template is an event with holes where its delta was: the pieces between them. OpenRouter sends reasoning twice in
// one event, so there may be two holes, with the same string.
type template struct {
	between [][]byte
	size    int // of between, together
	piece   piece
	field   field
	used    bool
}

// A field is where the string of the holes goes.
type field int

const (
	noField field = iota
	textField
	reasoningField
	detailField // reasoning, and the one detail with the same text
	argsField
)

func (d *decoder) decode(raw []byte) (piece, error) {
	if t := d.template; t != nil {
		if p, ok := t.match(raw); ok {
			t.used = true
			return p, nil
		}
	}
	p, err := parseChunk(raw)
	if err != nil {
		return piece{}, err
	}
	if p.detailed {
		d.template = nil // a template's details continue the block that the last fragment belongs to
	}
	if f := p.plain(); f != noField && d.misses < mostMisses && len(raw) <= mostLearned {
		d.learn(raw, p, f)
	}
	return p, nil
}

// match reads raw by the template, if raw differs from it in nothing but the literal in the holes.
func (t *template) match(raw []byte) (piece, bool) {
	holes := len(t.between) - 1
	size := len(raw) - t.size // of the literals
	if size < 0 || size%holes != 0 || !bytes.HasPrefix(raw, t.between[0]) {
		return piece{}, false
	}
	size /= holes
	at := len(t.between[0])
	inside := raw[at : at+size]
	for i, b := range t.between[1:] {
		if i > 0 && !bytes.HasPrefix(raw[at:], inside) {
			return piece{}, false
		}
		if at += size; !bytes.HasPrefix(raw[at:], b) {
			return piece{}, false
		}
		at += len(b)
	}
	text, ok := literal(inside)
	if !ok || text == "" {
		return piece{}, false
	}
	return t.piece.with(t.field, text), true
}

// literal returns the text of a string literal's inside; false when it is not exactly one literal.
func literal(inside []byte) (string, bool) {
	escaped := false
	for i := 0; i < len(inside); i++ {
		switch c := inside[i]; {
		case c == '"' || c < ' ':
			return "", false
		case c == '\\':
			escaped = true
			if i++; i == len(inside) {
				return "", false // it would escape the closing quote
			}
		}
	}
	if !escaped && utf8.Valid(inside) {
		return string(inside), true
	}
	quoted := make([]byte, 0, len(inside)+2)
	quoted = append(append(append(quoted, '"'), inside...), '"')
	var text string
	err := json.Unmarshal(quoted, &text)
	return text, err == nil
}

// with returns p with another string in the field.
func (p piece) with(f field, text string) piece {
	switch f {
	case textField:
		p.text = text
	case reasoningField:
		p.reasoning = text
	case detailField:
		p.reasoning, p.details, p.more = text, nil, true
	case argsField:
		call := p.calls[0]
		call.args = text
		p.calls = []callPiece{call}
	}
	return p
}

// plain says which one delta the piece holds, or noField when it holds more or something that happens once.
func (p piece) plain() field {
	if p.finish != "" || p.usage != nil || p.err != nil || len(p.sources) > 0 || len(p.images) > 0 {
		return noField
	}
	switch {
	case p.text == "" && p.reasoning != "" && len(p.calls) == 0 && p.detailed:
		return detailField
	case p.detailed:
		return noField
	case p.text != "" && p.reasoning == "" && len(p.calls) == 0:
		return textField
	case p.text == "" && p.reasoning != "" && len(p.calls) == 0:
		return reasoningField
	case p.text == "" && p.reasoning == "" && len(p.calls) == 1 && p.calls[0].args != "" && p.calls[0].name == "":
		return argsField
	}
	return noField
}

// probe is a text that no provider sends: where it comes out of a parsed event is where it was put in.
const probe = "\u2063probe\u2063"

// learn makes a template of a plain event, if it finds its delta.
func (d *decoder) learn(raw []byte, p piece, f field) {
	d.misses++
	if d.template != nil && d.template.used {
		d.misses = 0
	}
	d.template = nil
	for _, key := range [...]string{`"content":"`, `"reasoning":"`, `"reasoning_content":"`, `"arguments":"`} {
		at := bytes.Index(raw, []byte(key))
		if at < 0 {
			continue
		}
		at += len(key)
		end := literalEnd(raw, at)
		if end == at {
			continue // an empty string: not the delta
		}
		t := &template{between: [][]byte{bytes.Clone(raw[:at]), bytes.Clone(raw[end:])}, field: f}
		if f == detailField {
			t.between = bytes.Split(bytes.Clone(raw), raw[at-1:end+1])
			quote(t.between)
		}
		for _, b := range t.between {
			t.size += len(b)
		}
		if t.verify(p) {
			t.piece = p.with(f, "")
			d.template = t
			return
		}
	}
}

// quote puts the quotes back that were split off with a literal.
func quote(between [][]byte) {
	for i, b := range between {
		if i > 0 {
			b = append([]byte{'"'}, b...)
		}
		if i < len(between)-1 {
			b = append(slices.Clip(b), '"')
		}
		between[i] = b
	}
}

// verify reports whether the event with another text in the holes says the same as p but for the text.
func (t *template) verify(p piece) bool {
	got, err := parseChunk(bytes.Join(t.between, []byte(probe)))
	if err != nil {
		return false
	}
	want := p.with(t.field, probe)
	if t.field == detailField {
		if len(p.details) != 1 || len(got.details) != 1 || !sameDetail(p.details[0], got.details[0], p.reasoning) {
			return false
		}
		got = got.with(t.field, got.reasoning)
	}
	return reflect.DeepEqual(got, want)
}

// sameDetail reports whether detail b is a with the probe for its text, and a is a fragment of readable text.
func sameDetail(a, b json.RawMessage, text string) bool {
	var from, to map[string]json.RawMessage
	if json.Unmarshal(a, &from) != nil || json.Unmarshal(b, &to) != nil {
		return false
	}
	name := readable(plainText(from["type"]))
	if name == "" || plainText(from[name]) != text || plainText(to[name]) != probe || plainText(from["signature"]) != "" {
		return false
	}
	delete(from, name)
	delete(to, name)
	return reflect.DeepEqual(from, to)
}

// literalEnd returns where the string literal whose inside begins at i ends.
func literalEnd(raw []byte, i int) int {
	for ; i < len(raw) && raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return min(i, len(raw)-1)
}
