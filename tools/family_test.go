package tools

import "testing"

func TestModelsOfOneFamilyWritePatches(t *testing.T) {
	for id, want := range map[string]bool{
		"openai/gpt-5": true, "openai/gpt-5.1-codex-max": true, "openai/gpt-5-mini:nitro": true, "gpt-5@2025-08-07": true,
		"openai/gpt-4.1-nano": true, "openai/GPT-4.1": true, "openai/o4-mini-high": true, "openai/o3": true,
		"openai/codex-mini": true, "openai/gpt-oss-120b:free": true, "azure/eu/gpt-5.2": true,
		"openai/gpt-4o": false, "openai/gpt-4-turbo": false, "openai/o1": false, "openai/gpt-50": false, "openai/gpt-3.5-turbo": false,
		"anthropic/claude-sonnet-4.5": false, "google/gemini-2.5-pro": false, "qwen/qwen3-coder": false, "x-ai/grok-4": false,
		"openrouter/auto": false, "moonshotai/kimi-k2": false, "someone/not-gpt-5": false, "gpt-5/other": false, "": false,
	} {
		if got := writesPatches(id); got != want || writesEdits(id) == want {
			t.Errorf("%q writes patches: %t, want %t", id, got, want)
		}
	}
}
