package main

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/coder-agent/coder/agent/audit"
	"github.com/coder-agent/coder/agent/plain"
)

// auditLines is how many lines of a terminal a line of the log takes at most: enough for who, what and why.
const auditLines = 3

// auditLine is a line of the log for people, in auditLines lines of so many columns; 0: as long as it is.
func auditLine(l audit.Line, width int) string {
	text := fmt.Sprintf("%s  %-12s  %-12s  %s", l.Time.Local().Format(time.DateTime), cmp.Or(l.Session, "-"), l.What, strings.Join(auditWords(l), ", "))
	return clipLine(plain.Visible(text), cmp.Or(width*auditLines, math.MaxInt))
}

func clipLine(s string, most int) string {
	s = strings.TrimRight(strings.NewReplacer("\n", " ", "\t", " ").Replace(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// auditWords says what a line says, beyond when, where and what it is about.
func auditWords(l audit.Line) (words []string) {
	add := func(format string, values ...any) { words = append(words, fmt.Sprintf(format, values...)) }
	if l.Tool != "" {
		add("%s %s", l.Tool, l.Call)
	}
	if l.To != "" {
		add("%s to %s", l.From, l.To)
	}
	switch {
	case l.Decision != "" && l.By != "":
		add("%s by %s", l.Decision, l.By)
	case l.Decision != "":
		add("%s", l.Decision)
	}
	if l.Count > 1 {
		add("%d times", l.Count)
	}
	if l.Client != "" && l.What != audit.Judged && l.What != audit.Ended {
		add("%s", clientWords(l))
	}
	words = append(words, boundsWords(l)...)
	words = append(words, endWords(l)...)
	if l.Why != "" {
		add("%s", l.Why)
	}
	if l.Input != "" {
		add("%s", l.Input)
	}
	return words
}

func clientWords(l audit.Line) string {
	about := l.Kind
	if l.Origin != "" {
		about = strings.TrimSpace(about + " from " + l.Origin)
	}
	if about == "" {
		return "client " + l.Client
	}
	return fmt.Sprintf("client %s (%s)", l.Client, about)
}

// boundsWords says in which bounds a command starts.
func boundsWords(l audit.Line) (words []string) {
	switch {
	case l.Unsandboxed:
		words = append(words, "UNSANDBOXED")
	case l.Sandbox != "":
		words = append(words, fmt.Sprintf("sandbox %s (level %d)", l.Sandbox, l.Level))
	}
	if l.Network {
		words = append(words, "network open")
	}
	return words
}

// endWords says how a call ended.
func endWords(l audit.Line) (words []string) {
	if l.Exit != nil {
		words = append(words, fmt.Sprintf("exit %d", *l.Exit))
	}
	if l.MS != nil {
		words = append(words, (time.Duration(*l.MS) * time.Millisecond).String())
	}
	if l.Bytes != nil {
		words = append(words, fmt.Sprintf("%d bytes", *l.Bytes))
	}
	if l.Failed != "" {
		words = append(words, "failed: "+l.Failed)
	}
	return words
}
