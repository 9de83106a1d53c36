package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// aliases are argument names that other agents taught the models, without case, "_" and "-". The schema names the
// right ones; these are accepted.
var aliases = map[string]string{
	"filepath": "path", "filename": "path", "file": "path", "targetfile": "path", "directory": "path", "dirpath": "path", "dir": "path",
	"contents": "content", "text": "content", "filetext": "content",
	"oldstring": "old", "oldtext": "old", "oldstr": "old", "search": "old",
	"newstring": "new", "newtext": "new", "newstr": "new", "replace": "new",
	"replaceall": "all", "allowmultiple": "all",
	"cmd": "command", "script": "command", "cwd": "workdir", "workingdir": "workdir", "workingdirectory": "workdir",
	"timeout": "timeout_s", "timeouts": "timeout_s", "timeoutseconds": "timeout_s",
	"regex": "pattern", "query": "pattern", "include": "glob", "outputmode": "mode", "caseinsensitive": "ignore_case", "ignorecase": "ignore_case",
	"literaltext": "literal", "fixedstrings": "literal", "maxresults": "limit", "headlimit": "limit",
	"line": "offset", "startline": "offset",
	"replacements": "edits", "changes": "edits", "patch": "input", "patchtext": "input", "diff": "input",
	"message": "prompt", "task": "prompt", "instructions": "prompt", "delay": "in", "date": "at", "time": "at", "interval": "every",
	"timezone": "tz", "scheduleid": "id",
	"jobid": "id", "shellid": "id", "bashid": "id", "chars": "input", "stdin": "input", "wait": "wait_s", "waitseconds": "wait_s",
	"runinbackground": "background", "isbackground": "background", "tty": "pty", "terminal": "pty",
	"uri": "url", "link": "url", "address": "url", "href": "url",
	"todos": "items", "tasks": "items", "todolist": "items", "list": "items",
}

// fit reads a call's arguments into the struct that args points to, more kindly than encoding/json: names by alias,
// numbers and booleans written as strings, one object where a list is wanted, and the whole as a JSON string. A field
// whose tag does not say omitempty must be there.
func fit(data []byte, args any) error {
	given, err := object(data)
	if err != nil {
		return err
	}
	v := reflect.ValueOf(args).Elem()
	fields := fieldsOf(v.Type())
	values := byName(given, fields)
	for i, f := range fields {
		raw, ok := values[f.name]
		switch {
		case f.name == "-":
		case ok:
			if err := set(v.Field(i), f.name, raw); err != nil {
				return err
			}
		case f.required:
			return missingArgument(f.name, given)
		}
	}
	return nil
}

// A field is an argument as its tag has it.
type field struct {
	name     string
	required bool
}

func fieldsOf(t reflect.Type) []field {
	fields := make([]field, t.NumField())
	for i := range fields {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[i] = field{name, options != "omitempty"}
	}
	return fields
}

func missingArgument(name string, given map[string]json.RawMessage) error {
	if len(given) == 0 {
		return fmt.Errorf("the argument %q is missing: there are none", name)
	}
	names := slices.Sorted(maps.Keys(given))
	return fmt.Errorf("the argument %q is missing; given were %s", name, oneLine(strings.Join(names, ", ")))
}

// object reads a JSON object, or a JSON string that holds one.
func object(data []byte) (map[string]json.RawMessage, error) {
	var given map[string]json.RawMessage
	data = bytes.TrimSpace(data)
	var inner string
	if len(data) > 0 && data[0] == '"' && json.Unmarshal(data, &inner) == nil {
		data = []byte(inner)
	}
	err := json.Unmarshal(data, &given)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		at := int(min(syntax.Offset, int64(len(data))))
		return nil, fmt.Errorf("they are not valid JSON: %w behind %q", syntax, tailOf(data[:at]))
	case err != nil:
		return nil, errors.New("they are not a JSON object")
	}
	return given, nil
}

// tailOf is the end of a text, for messages.
func tailOf(data []byte) string {
	const most = 40 // characters
	r := []rune(string(data))
	return string(r[max(0, len(r)-most):])
}

// byName gives each value under its right name. A right name beats an alias, an alias a misspelling; of two aliases the
// first in the alphabet counts.
func byName(given map[string]json.RawMessage, fields []field) map[string]json.RawMessage {
	known := map[string]string{} // squashed, the right names
	for _, f := range fields {
		known[squash(f.name)] = f.name
	}
	values := map[string]json.RawMessage{}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(given)), func(k string) bool { return bytes.Equal(given[k], []byte("null")) })
	for _, read := range []func(name string) string{
		func(k string) string { return k },
		func(k string) string { return known[squash(k)] },
		func(k string) string { return known[squash(aliases[squash(k)])] },
		func(k string) string { return misspelt(squash(k), known) },
	} {
		names = slices.DeleteFunc(names, func(k string) bool {
			name := read(k)
			if known[squash(name)] != name || name == "" {
				return false
			}
			if _, twice := values[name]; !twice {
				values[name] = given[k]
			}
			return true
		})
	}
	return values
}

// squash writes a name without case and separators.
func squash(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// misspelt returns the right name that is one letter away from a name, as long as only one is and neither is short.
func misspelt(name string, known map[string]string) string {
	found := ""
	near := func(want, right string) bool {
		return right != "" && len(want) >= 4 && len(name) >= 4 && (levenshtein.ComputeDistance(name, want) == 1 || swappedLetters(name, want))
	}
	for want, right := range known {
		if near(want, right) {
			if found != "" && found != right {
				return ""
			}
			found = right
		}
	}
	for want, to := range aliases {
		if right := known[squash(to)]; near(want, right) {
			if found != "" && found != right {
				return ""
			}
			found = right
		}
	}
	return found
}

// swappedLetters reports whether two names differ by two neighbours that changed places.
func swappedLetters(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// set puts a JSON value into a field, converted if its type is not the field's but its meaning is plain.
func set(f reflect.Value, name string, raw json.RawMessage) error {
	wrong := func() error {
		return &json.UnmarshalTypeError{Field: name, Value: kindOf(raw), Type: f.Type()}
	}
	switch f.Kind() {
	case reflect.Pointer:
		f.Set(reflect.New(f.Type().Elem()))
		return set(f.Elem(), name, raw)
	case reflect.String:
		s, ok := asString(raw)
		if !ok {
			return wrong()
		}
		f.SetString(s)
	case reflect.Int:
		n, ok := asInt(raw)
		if !ok {
			return wrong()
		}
		f.SetInt(int64(n))
	case reflect.Bool:
		b, ok := asBool(raw)
		if !ok {
			return wrong()
		}
		f.SetBool(b)
	case reflect.Slice:
		list, ok := asList(raw)
		if !ok {
			return wrong()
		}
		return setList(f, name, list)
	default:
		return json.Unmarshal(raw, f.Addr().Interface())
	}
	return nil
}

// setList fills a slice; an error says which of its elements does not fit.
func setList(f reflect.Value, name string, list json.RawMessage) error {
	var raws []json.RawMessage
	if err := json.Unmarshal(list, &raws); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f.Set(reflect.MakeSlice(f.Type(), len(raws), len(raws)))
	for i, raw := range raws {
		at := fmt.Sprintf("%s[%d]", name, i)
		var err error
		if e := f.Index(i); e.Kind() == reflect.Struct {
			err = json.Unmarshal(raw, e.Addr().Interface())
		} else {
			err = set(e, at, raw)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	}
	return "number"
}

// asString takes a string, or the text of a number or boolean.
func asString(raw json.RawMessage) (string, bool) {
	switch kindOf(raw) {
	case "object", "array":
		return "", false
	case "string":
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	}
	return string(raw), true
}

func asInt(raw json.RawMessage) (int, bool) {
	s, ok := asString(raw)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > 1<<31 {
		return 0, false
	}
	return int(n), true
}

func asBool(raw json.RawMessage) (bool, bool) {
	s, ok := asString(raw)
	if !ok {
		return false, false
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "1":
		return true, true
	case "false", "no", "0", "":
		return false, true
	}
	return false, false
}

// asList takes an array, a JSON string that holds one, or one object, which becomes a list of it.
func asList(raw json.RawMessage) (json.RawMessage, bool) {
	switch kindOf(raw) {
	case "array":
		return raw, true
	case "object":
		return slices.Concat([]byte{'['}, raw, []byte{']'}), true
	case "string":
		s, ok := asString(raw)
		inner := json.RawMessage(strings.TrimSpace(s))
		if ok && json.Valid(inner) && kindOf(inner) != "string" {
			return asList(inner)
		}
	}
	return nil, false
}

// oneLine is the beginning of a text, for summaries.
func oneLine(s string) string {
	const most = 200 // characters
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
