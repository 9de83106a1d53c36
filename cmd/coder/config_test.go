package main

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckBaseURL(t *testing.T) {
	tests := []struct {
		url string
		ok  bool
	}{
		{"https://openrouter.ai/api/v1", true},
		{"https://proxy.example.com/v1", true},
		{"http://127.0.0.1:11434/v1", true},
		{"http://[::1]:11434/v1", true},
		{"http://localhost:1234/v1", true},
		{"http://openrouter.ai/api/v1", false},
		{"http://127.0.0.1.evil.example/v1", false},
		{"http://localhost.evil.example/v1", false},
		{"http://0.0.0.0:80/v1", false},
		{"ftp://127.0.0.1/v1", false},
		{"127.0.0.1:8080", false},
		{"", false},
	}
	for _, tt := range tests {
		if err := checkBaseURL(tt.url); (err == nil) != tt.ok {
			t.Errorf("checkBaseURL(%q) = %v, want ok %v", tt.url, err, tt.ok)
		}
	}
}

func TestCheckKey(t *testing.T) {
	tests := []struct {
		name string
		c    config
		ok   bool
	}{
		{"a key for the provider", config{Key: "k", BaseURL: defaultBaseURL}, true},
		{"no key for the provider", config{BaseURL: defaultBaseURL}, false},
		{"a server on this machine needs none", config{BaseURL: "http://127.0.0.1:1/v1"}, true},
	}
	for _, tt := range tests {
		if err := tt.c.checkKey(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestEnvironments(t *testing.T) {
	environ := []string{
		"PATH=/bin", "HOME=/home/u", "LC_ALL=C", "VIRTUAL_ENV=/v", "GOFLAGS=-mod=mod", "GOPROXY=https://proxy.example.com",
		"OPENROUTER_API_KEY=sk-or-secret", "GITHUB_TOKEN=x", "AWS_SECRET=x", "LD_PRELOAD=x", "NODE_OPTIONS=x", "GIT_DIR=x",
		"SSH_AUTH_SOCK=x", "EDITOR=vi", "CODER_MODEL=m", "OPENROUTER_BASE_URL=https://u", "https_proxy=http://u:p@proxy",
		"MINE=yes", "MY_TOKEN=x",
	}
	listed := []string{"MINE", "MY_TOKEN"}
	tests := []struct {
		name string
		got  []string
		want string
	}{
		{"commands see no secrets, also when they are listed", commandEnviron(environ, listed), "PATH HOME LC_ALL VIRTUAL_ENV GOFLAGS GOPROXY MINE"},
		{"a host sees its settings and its proxy, but not the key", hostEnviron(environ, nil), "PATH HOME LC_ALL VIRTUAL_ENV GOFLAGS GOPROXY CODER_MODEL OPENROUTER_BASE_URL https_proxy"},
		{"a URL with a password is a secret", commandEnviron([]string{"GOPROXY=https://u:p@proxy.example.com,direct"}, nil), ""},
	}
	for _, tt := range tests {
		var names []string
		for _, variable := range tt.got {
			name, _, _ := strings.Cut(variable, "=")
			names = append(names, name)
		}
		if !slices.Equal(names, strings.Fields(tt.want)) {
			t.Errorf("%s: got %v, want %v", tt.name, names, tt.want)
		}
	}
}
