package agent

import (
	"encoding/json"
	"errors"
	"fmt"
)

// arg reads a call's argument i, counted from 0.
func arg[A any](args []json.RawMessage, i int) (v A, err error) {
	if absent(args, i) {
		return v, refusal(fmt.Sprintf("argument %d is missing", i+1))
	}
	err = readArg(args, i, &v)
	return v, err
}

// optional is arg for one that may be left out or null.
func optional[A any](args []json.RawMessage, i int) (v A, err error) {
	if absent(args, i) {
		return v, nil
	}
	err = readArg(args, i, &v)
	return v, err
}

func absent(args []json.RawMessage, i int) bool { return i >= len(args) || string(args[i]) == "null" }

// readArg says what is wrong in words of the protocol: what the decoder says names types of Go.
func readArg(args []json.RawMessage, i int, v any) error {
	err := json.Unmarshal(args[i], v)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return refusal(fmt.Sprintf("argument %d: %q must be of type %s, not %s", i+1, wrong.Field, jsonKind(wrong.Type.Kind().String()), wrong.Value))
	case errors.As(err, &wrong):
		return refusal(fmt.Sprintf("argument %d must be of type %s, not %s", i+1, jsonKind(wrong.Type.Kind().String()), wrong.Value))
	}
	return refusal(fmt.Sprintf("argument %d is not what the method takes", i+1))
}
