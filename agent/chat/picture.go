package chat

import (
	"encoding/hex"
	"slices"
)

// A Picture is one that a tool has read for the model. Its bytes lie in a file of the session's own, and not here: every
// client gets what stands here.
type Picture struct {
	Name      string `json:"name"`      // the file it was read from, as the model gets to see it
	Hash      string `json:"hash"`      // hex SHA-256 of the bytes that are sent
	MediaType string `json:"mediaType"` // image/png or image/jpeg
	Width     int    `json:"width"`     // pixels, as it is sent
	Height    int    `json:"height"`
	Bytes     int    `json:"bytes"`
}

// ValidHash reports whether the hash can name a file: what stands in a transcript may come from a client.
func (p Picture) ValidHash() bool {
	raw, err := hex.DecodeString(p.Hash)
	return err == nil && len(raw) == 32 && hex.EncodeToString(raw) == p.Hash
}

// Tokens is what the picture costs, about: Claude counts one for 750 pixels, and others fewer.
func (p Picture) Tokens() int {
	return min(max(p.Width, 0), 1<<12) * min(max(p.Height, 0), 1<<12) / 750
}

// Pictures returns the pictures of the call's result.
func (c ToolCall) Pictures() []Picture {
	if c.State != OutputAvailable || c.Output == nil {
		return nil
	}
	return c.Output.Pictures
}

// Pictured reports whether there are pictures among the messages, whoever has put them there.
func Pictured(messages []Message) bool {
	return slices.ContainsFunc(messages, func(m Message) bool {
		return slices.ContainsFunc(m.Parts, func(p Part) bool {
			switch p := p.(type) {
			case File:
				return len(p.MediaType) > 6 && p.MediaType[:6] == "image/"
			case ToolCall:
				return len(p.Pictures()) > 0
			}
			return false
		})
	})
}
