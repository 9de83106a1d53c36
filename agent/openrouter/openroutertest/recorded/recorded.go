// Package recorded reads recorded model traffic for tests: go-vcr and vcrpy cassettes (.yaml), bodies of event streams
// (.sse), and lists of their events, one JSON a line (.chunks.txt).
package recorded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// An Answer is one recorded response of a model server.
type Answer struct {
	Name   string // the file's path below the folder, and #n from the second answer of a file on
	Status int
	Body   []byte
}

// Stream reports whether the answer is an event stream.
func (a Answer) Stream() bool {
	return a.Status == 200 && (bytes.HasPrefix(a.Body, []byte("data:")) || bytes.HasPrefix(a.Body, []byte(": ")) ||
		bytes.HasPrefix(a.Body, []byte("event:")) || bytes.Contains(a.Body, []byte("\ndata:")))
}

// Load reads all recordings below a folder, sorted by name. Files of other kinds are left out.
func Load(dir string) ([]Answer, error) {
	var out []Answer
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		answers, err := file(path)
		if err != nil {
			return fmt.Errorf("recorded: %s: %w", name, err)
		}
		for i := range answers {
			answers[i].Name = filepath.ToSlash(name)
			if i > 0 {
				answers[i].Name += "#" + strconv.Itoa(i+1)
			}
		}
		out = append(out, answers...)
		return nil
	})
	return out, err
}

func file(path string) ([]Answer, error) {
	ext := filepath.Ext(path)
	chunks := strings.HasSuffix(path, ".chunks.txt")
	if ext != ".yaml" && ext != ".sse" && !chunks {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	switch {
	case err != nil:
		return nil, err
	case ext == ".yaml":
		return cassette(data)
	case chunks:
		data = framed(data)
	}
	return []Answer{{Status: 200, Body: data}}, nil
}

// framed makes an event stream of a list of events.
func framed(lines []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(lines) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			fmt.Fprintf(&out, "data: %s\n\n", line)
		}
	}
	out.WriteString("data: [DONE]\n\n")
	return out.Bytes()
}

// cassette reads the responses of a cassette. The body is text in go-vcr, a mapping with a string in vcrpy; the code is
// a number in one and part of the status in the other. A JSON body may be kept parsed: its keys come out sorted.
func cassette(data []byte) ([]Answer, error) {
	var c struct {
		Interactions []struct {
			Response struct {
				Code   int       `yaml:"code"`
				Status yaml.Node `yaml:"status"`
				Body   yaml.Node `yaml:"body"`
				Parsed any       `yaml:"parsed_body"`
			} `yaml:"response"`
		} `yaml:"interactions"`
	}
	if err := yaml.Unmarshal(data, &c); err != nil {
		return nil, err
	}
	var out []Answer
	for _, i := range c.Interactions {
		a := Answer{Status: i.Response.Code}
		if i.Response.Status.Kind == yaml.MappingNode {
			var status struct {
				Code int `yaml:"code"`
			}
			if err := i.Response.Status.Decode(&status); err != nil {
				return nil, err
			}
			a.Status = status.Code
		}
		body, ok, err := text(i.Response.Body)
		if i.Response.Parsed != nil {
			body, err = json.Marshal(i.Response.Parsed)
			ok = true
		}
		if err != nil {
			return nil, err
		}
		if a.Body = body; ok {
			out = append(out, a)
		}
	}
	return out, nil
}

func text(n yaml.Node) (body []byte, ok bool, err error) {
	switch n.Kind {
	case yaml.ScalarNode:
	case yaml.MappingNode:
		var m struct {
			String yaml.Node `yaml:"string"`
		}
		if err := n.Decode(&m); err != nil || m.String.Kind != yaml.ScalarNode {
			return nil, false, err
		}
		n = m.String
	default:
		return nil, false, nil
	}
	var s string
	err = n.Decode(&s) // also of !!binary
	return []byte(s), err == nil, err
}
