package tools

import (
	"context"
	"path/filepath"

	"github.com/coder-agent/coder/agent"
	"github.com/coder-agent/coder/agent/permission"
)

// withoutSecrets leaves out the files that are likely to hold a secret, and those that a rule withholds, as no search asks
// before it shows what is in them, and counts them. dir is the folder that was named; when it is itself such a place, the
// call was judged by that.
func withoutSecrets(ctx context.Context, dir string, files []string) (kept []string, left int) {
	secret, held := permission.Secret(dir), agent.Withheld(ctx, dir)
	kept = keepIf(files, func(f string) bool {
		return (secret || !permission.Secret(f)) && (held || !agent.Withheld(ctx, filepath.Join(dir, filepath.FromSlash(f))))
	})
	return kept, len(files) - len(kept)
}
