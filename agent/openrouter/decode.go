package openrouter

import (
	"bytes"
	"encoding/json"
	"reflect"
	"unicode/utf8"
)

// A decoder reads the events of one stream. Most events of a stream are equal but for one string, the delta; reading
// them all with encoding/json would be the largest cost of a stream. So the decoder keeps the last such event as a
// template: when the next has the same bytes before and after one string literal, it says the same with that string.
type decoder struct {
	template *template
	misses   int // templates that no event has matched, in a row
}

// mostMisses ends the learning of templates in streams whose events all differ, such as those with padding.
const mostMisses = 8

// A template is an event with a hole where its delta was.
type template struct {
	head, tail []byte
	piece      piece
	field      field
	used       bool
}

// A field is where the hole's string goes.
type field int

const (
	noField field = iota
	textField
	reasoningField
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
	if d.misses < mostMisses {
		d.learn(raw, p)
	}
	return p, nil
}

// match reads raw by the template, if raw differs from it in nothing but the literal.
func (t *template) match(raw []byte) (piece, bool) {
	if len(raw) < len(t.head)+len(t.tail) || !bytes.HasPrefix(raw, t.head) || !bytes.HasSuffix(raw, t.tail) {
		return piece{}, false
	}
	text, ok := literal(raw[len(t.head) : len(raw)-len(t.tail)])
	if !ok {
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
			i++ // also over an escaped quote; a backslash at the very end escapes the closing quote, see below
			if i == len(inside) {
				return "", false
			}
		}
	}
	if !escaped && utf8.Valid(inside) {
		return string(inside), true
	}
	quoted := make([]byte, 0, len(inside)+2)
	quoted = append(append(append(quoted, '"'), inside...), '"')
	var text string
	return text, json.Unmarshal(quoted, &text) == nil && (text != "" || len(inside) == 0)
}

// with returns p with another string in the field.
func (p piece) with(f field, text string) piece {
	switch f {
	case textField:
		p.text = text
	case reasoningField:
		p.reasoning = text
	case argsField:
		call := p.calls[0]
		call.args = text
		p.calls = []callPiece{call}
	}
	return p
}

// probe is a text that no provider sends: where it comes out of a parsed event is where it was put in.
const probe = "\u2063probe\u2063"

// learn makes a template of the event if it is plain: one delta and nothing that happens once.
func (d *decoder) learn(raw []byte, p piece) {
	f := p.plain()
	if f == noField {
		return
	}
	if d.template != nil && !d.template.used {
		d.misses++
	} else {
		d.misses = 0
	}
	d.template = nil
	for _, key := range [...]string{`"content":"`, `"reasoning_content":"`, `"reasoning":"`, `"arguments":"`} {
		at := bytes.Index(raw, []byte(key))
		if at < 0 {
			continue
		}
		at += len(key)
		end := literalEnd(raw, at)
		if end == at {
			continue // an empty string: not the delta
		}
		t := &template{head: bytes.Clone(raw[:at]), tail: bytes.Clone(raw[end:]), piece: p.with(f, ""), field: f}
		// The event with another text there must say the same but for the text.
		with := append(append(bytes.Clone(t.head), probe...), t.tail...)
		got, err := parseChunk(with)
		if err == nil && reflect.DeepEqual(got, p.with(f, probe)) {
			d.template = t
			return
		}
	}
}

// literalEnd returns where the string literal whose inside begins at i ends.
func literalEnd(raw []byte, i int) int {
	for ; i < len(raw) && raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return min(i, len(raw))
}

// plain says which one delta the piece holds, or noField.
func (p piece) plain() field {
	if p.finish != "" || p.usage != nil || p.err != nil || p.detailed {
		return noField
	}
	switch {
	case p.text != "" && p.reasoning == "" && len(p.calls) == 0:
		return textField
	case p.text == "" && p.reasoning != "" && len(p.calls) == 0:
		return reasoningField
	case p.text == "" && p.reasoning == "" && len(p.calls) == 1 && p.calls[0].args != "" && p.calls[0].name == "":
		return argsField
	}
	return noField
}
