package chat

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
)

// This file has what a message may hold besides prose, thoughts and calls: where an answer comes from, files that a model
// made, data of an application, metadata. Each has the same fields as a part and as the chunk that brings it.

type (
	// SourceURL is a page that an answer draws on. A Model yields it without an ID.
	SourceURL struct {
		ID    string `json:"sourceId"`
		URL   string `json:"url"`
		Title string `json:"title,omitempty"`
	}
	// SourceDocument is a document that an answer draws on.
	SourceDocument struct {
		ID        string `json:"sourceId"`
		MediaType string `json:"mediaType"`
		Title     string `json:"title"`
		Filename  string `json:"filename,omitempty"`
	}
	// Data is an application's own part. A later one with the same name and ID takes the place of the earlier.
	Data struct {
		Name string // the type without its "data-"
		ID   string
		Data json.RawMessage
	}
)

func (SourceURL) part()      {}
func (SourceDocument) part() {}
func (Data) part()           {}

type (
	// FileMade is a file that the model made. It becomes a File.
	FileMade File
	// DataSent is a Data part on its way; a transient one is shown and not kept.
	DataSent struct {
		Name      string
		ID        string
		Data      json.RawMessage
		Transient bool
	}
	// Described is metadata of the message, merged into what it has, key by key.
	Described struct {
		Metadata json.RawMessage `json:"messageMetadata"`
	}
	// ToolProgress is the output of a running call so far. The next one, and the result, takes its place.
	ToolProgress struct {
		ToolCallID string
		Output     Output
	}
)

func (SourceURL) event()      {}
func (SourceDocument) event() {}
func (FileMade) event()       {}
func (DataSent) event()       {}
func (Described) event()      {}
func (ToolProgress) event()   {}

const dataPrefix = "data-"

type dataJSON struct {
	Type      string          `json:"type,omitempty"`
	ID        string          `json:"id,omitempty"`
	Data      json.RawMessage `json:"data"`
	Transient bool            `json:"transient,omitempty"`
}

// MarshalJSON gives the chunk without its type, which EncodeEvent adds.
func (d DataSent) MarshalJSON() ([]byte, error) {
	return marshal(dataJSON{ID: d.ID, Data: d.Data, Transient: d.Transient})
}

func decodeData(data []byte) (Event, error) {
	var in dataJSON
	err := json.Unmarshal(data, &in)
	return DataSent{Name: strings.TrimPrefix(in.Type, dataPrefix), ID: in.ID, Data: in.Data, Transient: in.Transient}, err
}

type toolOutputJSON struct {
	ToolCallID  string `json:"toolCallId"`
	Output      Output `json:"output"`
	Preliminary bool   `json:"preliminary,omitempty"`
}

// MarshalJSON gives the chunk of a result that is preliminary.
func (p ToolProgress) MarshalJSON() ([]byte, error) {
	return marshal(toolOutputJSON{p.ToolCallID, p.Output, true})
}

// decodeOutput tells a result from what a call has put out so far: the AI SDK has one chunk type for both.
func decodeOutput(data []byte) (Event, error) {
	var in toolOutputJSON
	err := json.Unmarshal(data, &in)
	if in.Preliminary {
		return ToolProgress{in.ToolCallID, in.Output}, err
	}
	return ToolFinished{in.ToolCallID, in.Output}, err
}

// unmarshalExtra reads a part of this file; false for one that holds more than we know, which is kept as it came.
func unmarshalExtra(name string, raw []byte) (Part, bool) {
	switch {
	case name == "source-url":
		var in struct {
			Type string `json:"type"`
			SourceURL
		}
		ok := strict(raw, &in)
		return in.SourceURL, ok
	case name == "source-document":
		var in struct {
			Type string `json:"type"`
			SourceDocument
		}
		ok := strict(raw, &in)
		return in.SourceDocument, ok
	case strings.HasPrefix(name, dataPrefix):
		var in dataJSON
		ok := strict(raw, &in) && !in.Transient
		return Data{Name: strings.TrimPrefix(name, dataPrefix), ID: in.ID, Data: in.Data}, ok
	}
	return nil, false
}

func strict(raw []byte, into any) bool {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(into) == nil
}

// applyExtra applies the events of this file.
func (t *Transcript) applyExtra(e Event) {
	switch e := e.(type) {
	case SourceURL:
		t.add(e)
	case SourceDocument:
		t.add(e)
	case FileMade:
		t.add(File(e))
	case DataSent:
		if !e.Transient {
			t.put(Data{Name: e.Name, ID: e.ID, Data: e.Data})
		}
	case Described:
		t.describe(e.Metadata)
	case ToolProgress:
		t.update(e.ToolCallID, func(c *ToolCall) {
			if !c.Finished() {
				c.Progress = &e.Output
			}
		})
	}
}

func (t *Transcript) add(p Part) {
	m := t.last()
	m.Parts = append(m.Parts, p)
}

// put adds a data part, in the place of one with its name and ID if there is one.
func (t *Transcript) put(d Data) {
	m := t.last()
	for i, p := range m.Parts {
		if have, ok := p.(Data); ok && d.ID != "" && have.Name == d.Name && have.ID == d.ID {
			m.Parts[i] = d
			return
		}
	}
	m.Parts = append(m.Parts, d)
}

// describe merges metadata, as the AI SDK does: objects key by key, anything else whole.
func (t *Transcript) describe(metadata json.RawMessage) {
	m := t.last()
	var have, more map[string]json.RawMessage
	if json.Unmarshal(m.Metadata, &have) != nil || json.Unmarshal(metadata, &more) != nil || have == nil {
		if len(metadata) > 0 && string(metadata) != "null" {
			m.Metadata = metadata
		}
		return
	}
	merged := make(map[string]json.RawMessage, len(have)+len(more))
	maps.Copy(merged, have)
	maps.Copy(merged, more)
	if raw, err := marshal(merged); err == nil {
		m.Metadata = raw
	}
}
