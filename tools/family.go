package tools

import "strings"

// patchFamilies are the beginnings of the names of models that were trained on the grammar of apply_patch: OpenAI's from
// GPT-4.1 on.
var patchFamilies = []string{"gpt-5", "gpt-4.1", "gpt-oss", "codex", "o3", "o4"}

// writesPatches reports whether a model is of a family that writes patches better than edits. An id is the provider's
// name of the model, perhaps behind names with slashes: "openai/gpt-5.1-codex", "~openai/gpt-5:nitro".
func writesPatches(id string) bool {
	name := strings.ToLower(id[strings.LastIndexByte(id, '/')+1:])
	for _, f := range patchFamilies {
		rest, ok := strings.CutPrefix(name, f)
		if ok && (rest == "" || strings.ContainsRune("-.:@", rune(rest[0]))) {
			return true
		}
	}
	return false
}

// writesEdits is true for all others.
func writesEdits(id string) bool { return !writesPatches(id) }
