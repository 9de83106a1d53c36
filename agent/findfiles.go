package agent

import (
	"context"
	"encoding/json"
	"fmt"
)

// Bounds of findFiles.
const (
	usualFiles   = 20
	maxFiles     = 200
	maxFileQuery = 512 // bytes
)

// FilesFound is the answer of findFiles.
type FilesFound struct {
	Files []FoundFile `json:"files"`         // the best first
	Cut   bool        `json:"cut,omitempty"` // not all files were looked at
}

// A FoundFile is a file of the workdir, or a folder.
type FoundFile struct {
	Path string `json:"path"` // relative to the workdir, with slashes; of a folder with one at its end
}

// findFilesMethod answers findFiles. It waits for the disk, on the goroutine of the caller.
func findFilesMethod(a *CoderAgent, ctx context.Context, args []json.RawMessage, _ func(any)) (any, error) {
	query, err := arg[string](args, 0)
	if err != nil {
		return nil, err
	}
	limit, err := optional[int](args, 1)
	if err != nil {
		return nil, err
	}
	switch {
	case a.host.opts.FindFiles == nil:
		return nil, refusal("this host finds no files")
	case len(query) > maxFileQuery:
		return nil, refusal(fmt.Sprintf("the query is longer than %d bytes", maxFileQuery))
	case limit == 0:
		limit = usualFiles
	case limit < 0 || limit > maxFiles:
		return nil, refusal(fmt.Sprintf("limit must be 1 to %d", maxFiles))
	}
	return a.host.opts.FindFiles(ctx, a, query, limit)
}
