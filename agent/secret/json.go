package secret

import (
	"bytes"
	"encoding/json"
)

// JSON redacts the strings of a JSON value, names of members too. A value without secrets is returned as it is.
func (s *Set) JSON(raw json.RawMessage) json.RawMessage {
	m := s.current()
	if m == nil || next(m, []byte(raw), 0, true).name == "" {
		return raw
	}
	// Not in the text itself: a value may begin in the middle of an escape.
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		text, _ := json.Marshal(s.Redact(string(raw))) // a string always has JSON
		return text
	}
	out, err := json.Marshal(s.walk(v))
	if err != nil {
		return json.RawMessage(`"` + replacement("details") + `"`) // what was decoded can be encoded
	}
	return out
}

func (s *Set) walk(v any) any {
	switch v := v.(type) {
	case string:
		return s.Redact(v)
	case []any:
		for i := range v {
			v[i] = s.walk(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[s.Redact(name)] = s.walk(value)
		}
		return out
	}
	return v
}
