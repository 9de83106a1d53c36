package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// readConfigFile reads the user's config file, JSON with comments, into the text of each setting. No file is an empty
// one.
func readConfigFile(path string) (map[string]origin, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	root, err := hujson.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("config: %s: %w", path, err)
	}
	object, ok := root.Value.(*hujson.Object)
	if !ok {
		return nil, fmt.Errorf("config: %s: it must hold one JSON object", path)
	}
	values := make(map[string]origin, len(object.Members))
	for _, m := range object.Members {
		at := fmt.Sprintf("%s:%d", path, 1+bytes.Count(data[:m.Name.StartOffset], []byte("\n")))
		name := m.Name.Value.(hujson.Literal).String()
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) {
			return nil, &hintedError{fmt.Errorf("config: %s: there is no setting %q", at, name), "settings: " + settingNames()}
		}
		text, err := settingText(m.Value.Value)
		if err != nil {
			return nil, fmt.Errorf("config: %s: %s: %w", at, name, err)
		}
		values[name] = origin{text, at}
	}
	return values, nil
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
	return strings.Join(names, ", ")
}
