package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// decode reads the body of a request into a struct, and answers why not. A field that is misspelled must not widen what a
// command does, and what stands behind the JSON must not be another request.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return true
		}
		err = errTrailing
	}
	status := http.StatusBadRequest
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
	}
	answer(w, status, errorBody{Error: "the body is not the JSON that " + r.URL.Path + " takes: " + inWords(err)})
	return false
}

var errTrailing = errors.New("something stands behind it")

// inWords says what is wrong with JSON without the names of our types, which the decoder's own words are made of.
func inWords(err error) string {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return "the field " + wrong.Field + " cannot be " + wrong.Value
	case errors.As(err, &wrong):
		return "it must be an object, not " + wrong.Value
	case errors.As(err, &syntax):
		return syntax.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case errors.Is(err, errTrailing):
		return err.Error()
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "there is no field " + field
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return "it has more than 1 MiB"
	}
	return "it cannot be read"
}
