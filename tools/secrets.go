package tools

import "github.com/coder-agent/coder/agent/permission"

// withoutSecrets leaves out the files that are likely to hold a secret, as no search asks before it shows what is in them,
// and counts them. dir is the folder that was named; when it is itself such a place, the call was judged by that.
func withoutSecrets(dir string, files []string) (kept []string, left int) {
	if permission.Secret(dir) {
		return files, 0
	}
	kept = files[:0]
	for _, f := range files {
		if permission.Secret(f) {
			left++
			continue
		}
		kept = append(kept, f)
	}
	return kept, left
}
