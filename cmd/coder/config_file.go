package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/coder-agent/coder/agent/permission"
)

// readConfigFile reads the user's config file, JSON with comments, into the text of each setting and the rules, and says what
// in it is wrong. No file is an empty one.
func readConfigFile(path string) (values map[string]origin, rules []permission.Rule, wrong []error) {
	data, err := readPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, []error{fmt.Errorf("config: %w", err)}
	}
	root, err := hujson.Parse(data)
	if err != nil {
		return nil, nil, []error{syntaxError(path, err)}
	}
	object, ok := root.Value.(*hujson.Object)
	if !ok {
		return nil, nil, []error{&hintedError{fmt.Errorf("config: %s: it must hold one JSON object", path), `such as: {"model": "` + defaultModel + `"}`}}
	}
	values = make(map[string]origin, len(object.Members))
	for _, m := range object.Members {
		at := place(path, data, m.Name.StartOffset)
		name := m.Name.Value.(hujson.Literal).String()
		if name == rulesSetting {
			read, bad := fileRules(path, data, m.Value)
			rules, wrong = append(rules, read...), append(wrong, bad...)
			continue
		}
		text, err := fileSetting(name, m.Value.Value)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("config: %s: %w", at, err))
			continue
		}
		values[name] = origin{text, at}
	}
	return values, rules, wrong
}

// readPlain reads a regular file.
func readPlain(path string) ([]byte, error) {
	f, err := openChecked(path, func(path string, info fs.FileInfo) error {
		if !info.Mode().IsRegular() {
			return &hintedError{fmt.Errorf("%s is no plain file", path), "remove it"}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// rulesSetting is the one member of the file that no flag or variable has.
const rulesSetting = "rules"

// fileRules reads the user's rules: a list of strings, each with its place.
func fileRules(path string, data []byte, v hujson.Value) (rules []permission.Rule, wrong []error) {
	list, ok := v.Value.(*hujson.Array)
	if !ok {
		return nil, []error{&hintedError{
			fmt.Errorf("config: %s: %s: it must be a list of strings", place(path, data, v.StartOffset), rulesSetting),
			`such as: {"rules": ["allow bash(go test **)"]}`,
		}}
	}
	for _, element := range list.Elements {
		at := place(path, data, element.StartOffset)
		literal, ok := element.Value.(hujson.Literal)
		if !ok || literal.Kind() != '"' {
			wrong = append(wrong, fmt.Errorf("config: %s: %s: a rule must be a string", at, rulesSetting))
			continue
		}
		rule, err := permission.ParseRule(literal.String(), at)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("config: %w", err))
			continue
		}
		if !slices.Contains(ruled(), rule.Tool) {
			wrong = append(wrong, &hintedError{
				fmt.Errorf("config: %s: the rule %q is about a tool that there is not", at, literal.String()), "tools: " + strings.Join(ruled(), ", "),
			})
			continue
		}
		rules = append(rules, rule)
	}
	return rules, wrong
}

// place names a line of a file, as editors take it.
func place(path string, data []byte, offset int) string {
	return fmt.Sprintf("%s:%d", path, 1+bytes.Count(data[:offset], []byte("\n")))
}

// syntaxError says where the JSON is wrong, as editors take it.
func syntaxError(path string, err error) error {
	var line, column int
	text := err.Error()
	if n, _ := fmt.Sscanf(text, "hujson: line %d, column %d:", &line, &column); n == 2 {
		_, text, _ = strings.Cut(text, ": ")
		_, text, _ = strings.Cut(text, ": ")
		path = fmt.Sprintf("%s:%d:%d", path, line, column)
	}
	return &hintedError{fmt.Errorf("config: %s: %s", path, text), `mend it there: it is JSON, such as {"mode": "ask"}, with comments if you like`}
}

// fileSetting is the text of a member of the file.
func fileSetting(name string, v hujson.ValueTrimmed) (string, error) {
	if !slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) {
		return "", &hintedError{fmt.Errorf("there is no setting %q", name), "settings: " + settingNames()}
	}
	text, err := settingText(v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// lasting refuses a path in the file that means another folder wherever the user is.
func lasting(path string) error {
	if path == "" || path[0] == '~' || filepath.IsAbs(path) {
		return nil
	}
	return &hintedError{
		fmt.Errorf("%q is not an absolute path: it would be another folder wherever you are", path),
		"write it from the root or from your home, such as ~/" + filepath.ToSlash(filepath.Clean(path)),
	}
}

// settingText gives the value as a flag would: a string, a number, or a list of strings joined by commas.
func settingText(v hujson.ValueTrimmed) (string, error) {
	switch v := v.(type) {
	case hujson.Literal:
		switch v.Kind() {
		case '"':
			return v.String(), nil
		case '0':
			return string(v), nil
		}
	case *hujson.Array:
		var texts []string
		for _, element := range v.Elements {
			literal, ok := element.Value.(hujson.Literal)
			if !ok || literal.Kind() != '"' {
				return "", errors.New("its elements must be strings")
			}
			texts = append(texts, literal.String())
		}
		return strings.Join(texts, ","), nil
	}
	return "", errors.New("it must be a string, a number or a list of strings")
}

func settingNames() string {
	var names []string
	for _, s := range settings {
		names = append(names, s.name)
	}
	names = append(names, rulesSetting)
	return strings.Join(names, ", ")
}
