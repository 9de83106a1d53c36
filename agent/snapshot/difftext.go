package snapshot

import (
	"context"
	"io"
	"strconv"
	"strings"
)

// MaxDiff is how much of a diff is made, in bytes.
const MaxDiff = 1 << 20

// A FileStat is how much of a file has changed, in lines.
type FileStat struct {
	Path    string `json:"path"`
	Change  string `json:"change"` // made, deleted, changed, mode
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	Binary  bool   `json:"binary,omitempty"`
}

// Diff returns what is different between two snapshots as git shows it, unified with three lines of context, and whether it
// was cut.
func (f *Folder) Diff(ctx context.Context, before, after Tree) (text string, cut bool, err error) {
	err = f.aside(ctx, func() error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		cmd := f.command(ctx, f.path, "", "diff-tree", "-r", "-p", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color", string(before)+":files", string(after)+":files")
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return &gitError{Deed: "diff-tree", Err: err}
		}
		data, err := io.ReadAll(io.LimitReader(out, MaxDiff+1))
		if cut = len(data) > MaxDiff; cut {
			data = data[:strings.LastIndexByte(string(data[:MaxDiff]), '\n')+1]
			cancel()
		}
		if failed := cmd.Wait(); err == nil && !cut && failed != nil {
			err = &gitError{Deed: "diff-tree", Err: failed}
		}
		text = strings.ToValidUTF8(string(data), "\uFFFD")
		return err
	})
	return text, cut, err
}

// Stat says how many lines of each file are different between two snapshots. Folders are left out.
func (f *Folder) Stat(ctx context.Context, before, after Tree, changes []Change) (list []FileStat, err error) {
	lines := make(map[string][2]string)
	err = f.aside(ctx, func() error {
		out, err := f.git(ctx, nil, "diff-tree", "-r", "-z", "--numstat", "--no-renames", string(before)+":files", string(after)+":files")
		for _, record := range split(out) {
			if parts := strings.SplitN(record, "\t", 3); len(parts) == 3 {
				lines[parts[2]] = [2]string{parts[0], parts[1]}
			}
		}
		return err
	})
	for _, c := range changes {
		if c.Before.Kind == Dir && c.After.Kind != File || c.After.Kind == Dir && c.Before.Kind != File {
			continue
		}
		n := lines[c.Path]
		s := FileStat{Path: strings.ToValidUTF8(c.Path, "\uFFFD"), Change: c.Deed(), Binary: n[0] == "-"}
		s.Added, _ = strconv.Atoi(n[0]) // "-" of a binary file is none
		s.Removed, _ = strconv.Atoi(n[1])
		list = append(list, s)
	}
	return list, err
}

// Deed says in a word what a change does.
func (c Change) Deed() string {
	switch {
	case c.Before.Kind == None:
		return "made"
	case c.After.Kind == None:
		return "deleted"
	case c.Before.Kind == c.After.Kind && c.Before.OID == c.After.OID:
		return "mode"
	}
	return "changed"
}
