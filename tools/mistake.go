package tools

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strings"
	"sync"
)

// mistake recognises what models do to a text when they copy it, and says so. Nothing is applied by it: what holds for
// the old text need not hold for the new, so the model sends both again. It begins with a comma or colon, "" if nothing
// was recognised. start is the line of the file, from 0, at which the text is that was meant, nowhere if it is not there.
func (d *draft) mistake(old, text string) (why string, start int) {
	for _, m := range []struct{ meant, why string }{
		{withoutNumbers(old, false), `: it has the line numbers that read shows ("12:"), which are not in the file. Without them`},
		{withoutNumbers(old, true), `: it has line numbers ("12: "), which are not in the file. Without them`},
		{unescaped(old), `: it has \n, \t, \" or \\ where the file has the character itself. Unescaped`},
		{html.UnescapeString(old), ": it has entities such as &lt; where the file has the character itself. Without them"},
		{strings.ReplaceAll(old, "\n", `\n`), `: it has a line end where the file has \n. With that`},
		{escaped(old), `: the file has \" or \\ where it has the character alone. With them`},
		{strings.ReplaceAll(old, `\`, `\\`), `: the file has \\ where it has one backslash. With two`},
		{html.EscapeString(old), ": the file has entities such as &lt; where it has the character itself. With them"},
		{strings.TrimPrefix(old, string(bom)), ": it begins with a byte order mark. Without it"},
		{withoutFence(old), ": it has the fence of a code block. Without it"},
		{strings.TrimSpace(old), ": it has blanks around it that the file has not. Without them"},
	} {
		if m.meant == old || strings.TrimSpace(m.meant) == "" {
			continue
		}
		if at := exact(d.data, []byte(m.meant)); len(at) > 0 {
			return fmt.Sprintf("%s it is at %s", m.why, d.lineList(at)), bytes.Count(d.data[:at[0].from], []byte{'\n'})
		}
	}
	if at := exact(d.data, []byte(strings.TrimSpace(text))); len(words(text)) >= fewWords && len(at) > 0 {
		return ", but new is, at " + d.lineList(at) + ": the edit was made already", bytes.Count(d.data[:at[0].from], []byte{'\n'})
	}
	if n := leftOut(old); n > 0 {
		return fmt.Sprintf(": its line %d stands for text left out. Give all of the text, or an edit for each part", n), nowhere
	}
	if at := d.apartFromBlankLines(old); at > 0 {
		return fmt.Sprintf(": but for blank lines it is at line %d", at), at - 1
	}
	lower := bytes.ToLower(d.data)
	if i := bytes.Index(lower, []byte(strings.ToLower(old))); i >= 0 {
		line := bytes.Count(lower[:i], []byte{'\n'})
		return fmt.Sprintf(": but for capital letters it is at line %d", line+1), line
	}
	return "", nowhere
}

var (
	lineNumber   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^ *\d+(:|\t|→)`) })
	spacedNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^ *\d+(:? | *\| ?)`) })
)

// withoutNumbers takes the line numbers away if every line has one.
func withoutNumbers(text string, spaced bool) string {
	number := lineNumber()
	if spaced {
		number = spacedNumber()
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		n := number.FindString(l)
		if n == "" && (l != "" || i+1 < len(lines)) {
			return text
		}
		lines[i] = l[len(n):]
	}
	return strings.Join(lines, "\n")
}

// unescaped reads the escapes of a string literal.
func unescaped(text string) string {
	return strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\"`, `"`, `\'`, "'", `\\`, `\`, `\/`, "/", `\r`, "").Replace(text)
}

// escaped is what a string literal of the text holds.
func escaped(text string) string {
	return strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(text)
}

// withoutFence takes away the lines that begin and end a code block.
func withoutFence(text string) string {
	inner, ok := strings.CutPrefix(text, "```")
	if !ok {
		return text
	}
	_, inner, _ = strings.Cut(inner, "\n")
	return strings.TrimSuffix(strings.TrimSpace(inner), "```")
}

// leftOut is the line of a text, from 1, that stands for others, 0 if none does.
func leftOut(text string) int {
	for i, l := range bare([]byte(text)) {
		if trimmed := strings.Trim(l, " \t/#*-<!>;%(){}[]"); trimmed == "..." || trimmed == "…" || elision().MatchString(l) {
			return i + 1
		}
	}
	return 0
}

// apartFromBlankLines is the line at which the lines of old are that are not blank, with or without blank ones between
// them, 0 if they are nowhere.
func (d *draft) apartFromBlankLines(old string) int {
	f := fold{spaces: true}
	var want, have [][]byte
	var numbers []int
	for l := range bytes.SplitSeq([]byte(old), []byte{'\n'}) {
		if l = f.apply(l); len(l) > 0 {
			want = append(want, l)
		}
	}
	ix := index(d.data)
	for i := range ix.starts {
		if l := f.apply(ix.line(i)); len(l) > 0 {
			have, numbers = append(have, l), append(numbers, i+1)
		}
	}
	if len(want) < 2 {
		return 0
	}
next:
	for i := 0; i+len(want) <= len(have); i++ {
		for k, l := range want {
			if !ix.spend() || !bytes.Equal(have[i+k], l) {
				continue next
			}
		}
		return numbers[i]
	}
	return 0
}
