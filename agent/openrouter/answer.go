package openrouter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// An answer gathers one response from its pieces and emits the events that can be told at once.
type answer struct {
	*stream
	decoder decoder

	generation, served, provider string

	space     string // blank text that waits for something visible: alone it is nothing, and Claude takes none back
	text      bool   // visible text came
	reasoning bool
	calls     calls
	details   details
	finish    string
	usage     chat.Usage

	cited    map[string]bool // pages, by URL
	images   int
	pictured bool // a picture was kept
}

func newAnswer(s *stream) *answer {
	a := &answer{stream: s}
	a.calls.answer = a
	return a
}

// take emits what one event says.
func (a *answer) take(raw []byte) error {
	p, err := a.decoder.decode(raw)
	if err != nil {
		e := a.client.failure(malformed, fmt.Sprintf("the answer holds an event that is not JSON: %s", clip(string(raw), 80)))
		e.cause = err
		return e
	}
	a.generation = defaultTo(p.id, a.generation)
	a.served = defaultTo(p.model, a.served)
	a.provider = defaultTo(p.provider, a.provider)
	a.finish = defaultTo(p.finish, a.finish)
	if p.usage != nil {
		a.usage = *p.usage
	}
	if p.reasoning != "" {
		a.reasoning, a.output = true, true
		if !a.emit(chat.ReasoningDelta{Delta: p.reasoning}) {
			return errStopped
		}
	}
	a.details.add(p)
	if p.text != "" && !a.say(p.text) {
		return errStopped
	}
	if !a.media(p) {
		return errStopped
	}
	for _, call := range p.calls {
		if !a.calls.add(call) {
			return errStopped
		}
	}
	if p.err != nil {
		return a.fail(p.err)
	}
	return nil
}

// mostBlank bounds the blank text that waits, in bytes.
const mostBlank = 1 << 10

// say emits text, blanks only with what follows them.
func (a *answer) say(text string) bool {
	if !a.text {
		if strings.TrimSpace(text) == "" && len(a.space) < mostBlank {
			a.space += text
			return true
		}
		text, a.space = a.space+text, ""
	}
	a.text, a.output = true, true
	return a.emit(chat.TextDelta{Delta: text})
}

// fail makes the error of an error event.
func (a *answer) fail(raw json.RawMessage) error {
	e := a.client.failure(answered, "")
	e.Raw = scrub(raw, a.client.opts.Key)
	e.parse(e.Raw)
	e.Provider = defaultTo(e.Provider, a.provider)
	return e
}

// end completes the response, with the error that ended the stream if it was not [DONE].
func (a *answer) end(err error) error {
	if err != nil && (a.finish == "" || errors.Is(err, errTooLarge) || errors.Is(err, context.Canceled)) {
		return err // else only usage was missing
	}
	switch {
	case a.finish == "error":
		return a.client.failure(truncated, "the provider ended the answer with an error and did not say which")
	case !a.text && !a.reasoning && !a.pictured && len(a.details.blocks) == 0 && a.calls.none():
		switch reason(a.finish) {
		case chat.ModelLength, chat.ModelFiltered:
		default:
			return a.client.failure(emptyAnswer, "the model sent an empty answer")
		}
	}
	if !a.calls.end(a.finish) {
		return errStopped
	}
	finish := reason(a.finish)
	if !a.calls.none() && finish != chat.ModelLength && finish != chat.ModelFiltered {
		finish = chat.ModelTools // some say "stop" with calls
	}
	a.output = true
	a.emit(chat.Answered{
		Model: a.req.Model, Served: a.served, Provider: a.provider, Generation: a.generation,
		Reason: finish, Usage: a.usage, Details: a.details.merged(),
	})
	return nil
}

// reason normalises finish_reason. Servers that send none, only [DONE], mean stop.
func reason(finish string) chat.ModelFinish {
	switch finish {
	case "stop", "end_turn", "":
		return chat.ModelStop
	case "tool_calls", "function_call", "tool_use":
		return chat.ModelTools
	case "length", "max_tokens":
		return chat.ModelLength
	case "content_filter":
		return chat.ModelFiltered
	}
	return chat.ModelOther
}
