package sandbox

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// A policy is what the helper process is told: what to run, and within which bounds. All paths are absolute and free of
// links. It comes on a pipe from the host, which nobody else can write.
type policy struct {
	Level   int      `json:"level"` // 3 or 2
	Argv    []string `json:"argv"`
	Env     []string `json:"env"`
	Dir     string   `json:"dir"`
	Umask   int      `json:"umask"`             // of the command; -1 is the host's
	Network bool     `json:"network,omitempty"` // that of the machine

	Shared   bool `json:"shared,omitempty"`   // its loopback is there, and up
	Terminal bool `json:"terminal,omitempty"` // its input, output and errors are a terminal, which it is to control

	Writable  []string  `json:"writable,omitempty"`  // folders that the command may change
	Pinned    []string  `json:"pinned,omitempty"`    // in Writable: may change, but cannot be moved away
	Protected []string  `json:"protected,omitempty"` // in Writable: may not change
	Hidden    []string  `json:"hidden,omitempty"`    // look empty
	Shown     []string  `json:"shown,omitempty"`     // in Hidden: may be read all the same
	Tmp       string    `json:"tmp,omitempty"`       // in Writable: is /tmp, too
	Overlays  []overlay `json:"overlays,omitempty"`

	// What only the host needs.
	marker  string   // finds what left the process group, where there is no namespace to hold it
	home    string   // the user's
	guarded []string // folders of the user in Writable, in which files are protected
	watched []string // the protected files in them, links as such
	shared  *Network // in which it runs; nil: none that it shares
}

// An overlay lets a command change a folder without changing it: what is written goes to Upper.
type overlay struct {
	At    string `json:"at"`
	Upper string `json:"upper"`
	Work  string `json:"work"` // empty, on the file system of Upper
}

// maxPolicy bounds a policy, in bytes: a command has up to 120 KB, an environment up to 2 MB.
const maxPolicy = 8 << 20

// write sends the policy. What follows it on the pipe are orders to the helper; its end ends everything.
func (p policy) write(w io.Writer) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	data = append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
	_, err = w.Write(data)
	return err
}

func readPolicy(r io.Reader) (p policy, err error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return p, fmt.Errorf("reading the policy: %w", err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxPolicy {
		return p, fmt.Errorf("the policy has %d bytes", n)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return p, fmt.Errorf("reading the policy: %w", err)
	}
	return p, json.Unmarshal(data, &p)
}

// The orders to the helper.
const (
	orderEnd    = 'e' // ask every process of the command to end
	orderSignal = 's' // send the signal whose number is the next byte to the command's process group
)

// helperName is the first argument that makes the program a helper.
const helperName = "__sandbox"

// A status is what the helper says about the command. Applied comes alone as soon as every layer stands, the rest at
// the end.
type status struct {
	Applied bool      `json:"applied,omitempty"`
	Failed  string    `json:"failed,omitempty"` // the layer that could not be applied: the command did not run
	Errno   int       `json:"errno,omitempty"`  // why the program could not be started
	Ended   bool      `json:"ended,omitempty"`
	Code    int       `json:"code,omitempty"`
	Signal  int       `json:"signal,omitempty"`
	Left    []Process `json:"left,omitempty"`  // what was alive then, and has ended with the command
	Crowd   int       `json:"crowd,omitempty"` // how many there were, if it was ended for that
}
