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
	"replacements": "edits", "changes": "edits",
	"message": "prompt", "task": "prompt", "instructions": "prompt", "delay": "in", "date": "at", "time": "at", "interval": "every",
	"timezone": "tz", "scheduleid": "id",
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
	known := map[string]bool{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	values := byName(given, known)
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		raw, ok := values[name]
		if !ok {
			if options != "omitempty" {
				return fmt.Errorf("the argument %q is missing", name)
			}
			continue
		}
		if err := set(v.Field(i), name, raw); err != nil {
			return err
		}
	}
	return nil
}

// object reads a JSON object, or a JSON string that holds one.
func object(data []byte) (map[string]json.RawMessage, error) {
	var given map[string]json.RawMessage
	data = bytes.TrimSpace(data)
	var inner string
	if len(data) > 0 && data[0] == '"' && json.Unmarshal(data, &inner) == nil {
		data = []byte(inner)
	}
	if err := json.Unmarshal(data, &given); err != nil {
		return nil, errors.New("they are not a JSON object")
	}
	return given, nil
}

// byName gives each value under its right name. A right name beats an alias; of two aliases the first in the alphabet
// counts.
func byName(given map[string]json.RawMessage, known map[string]bool) map[string]json.RawMessage {
	values := map[string]json.RawMessage{}
	squash := strings.NewReplacer("_", "", "-", "")
	for _, k := range slices.Sorted(maps.Keys(given)) {
		if bytes.Equal(given[k], []byte("null")) {
			continue
		}
		if known[k] {
			values[k] = given[k]
			continue
		}
		name := squash.Replace(strings.ToLower(k))
		if to, ok := aliases[name]; ok && !known[name] {
			name = to
		}
		_, exact := given[name]
		_, twice := values[name]
		if !exact && !twice {
			values[name] = given[k]
		}
	}
	return values
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
		if err := json.Unmarshal(list, f.Addr().Interface()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	default:
		return json.Unmarshal(raw, f.Addr().Interface())
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
