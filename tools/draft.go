package tools

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A draft is a file's content while edits are applied to it.
type draft struct {
	data    []byte
	changed bool
	regions []region // what is new, by place in data
	loose   []string // how matches that were not exact were found
	failed  []failure
}

// A region is a piece of data, from its first byte up to its end.
type region struct{ from, to int }

type failure struct{ edit, why string }

// apply makes one edit, or notes why it cannot be made.
func (d *draft) apply(name string, r replacement) {
	switch {
	case r.Old == "":
		d.fail(name, "old is empty: give the text to replace, or use write for the whole file")
	case r.Old == r.New:
		d.fail(name, "old and new are the same: nothing would change")
	default:
		d.put(name, r, find(d.data, []byte(r.Old), []byte(r.New)))
	}
}

// put makes a replacement where it was found.
func (d *draft) put(name string, r replacement, m match) {
	if err := elided(r.New, r.Old); err != nil {
		d.fail(name, "%v", err)
		return
	}
	switch {
	case len(m.at) == 0:
		d.fail(name, "%s", d.nearest(r.Old, r.New))
	case len(m.at) > 1 && !r.All:
		d.fail(name, "old is in the file %d times, at %s%s: take in more lines around the one that is meant, or set all", len(m.at), d.lineList(m.at), in(m.how))
	case !d.replace(m):
		d.fail(name, "nothing would change: the text at %s already is as new says", d.lineList(m.at))
	case m.how != "" && !slices.Contains(d.loose, m.how):
		d.loose = append(d.loose, m.how)
	}
}

// in says how places were found that are not exact.
func in(how string) string {
	if how == "" {
		return ""
	}
	return ", " + how
}

func (d *draft) fail(name, format string, args ...any) {
	d.failed = append(d.failed, failure{name, fmt.Sprintf(format, args...)})
}

// replace puts the new text into every place of the match, those that overlap an earlier one left out. It is false when
// that changes nothing.
func (d *draft) replace(m match) bool {
	var out []byte
	var made []region
	done, same := 0, true
	for i, at := range m.at {
		if at.from < done {
			continue
		}
		out = append(out, d.data[done:at.from]...)
		old, text := d.data[at.from:at.to], m.text(i)
		same = same && bytes.Equal(text, old)
		d.shift(region{len(out), len(out) + len(old)}, len(text)-len(old))
		made = append(made, region{len(out), len(out) + len(text)})
		out, done = append(out, text...), at.to
	}
	if same {
		return false
	}
	d.data = append(out, d.data[done:]...)
	d.regions, d.changed = append(d.regions, made...), true
	return true
}

// shift moves the regions of earlier edits when a place grows by n.
func (d *draft) shift(at region, n int) {
	for i, r := range d.regions {
		switch {
		case r.from >= at.to:
			d.regions[i] = region{r.from + n, r.to + n}
		case r.to > at.from:
			d.regions[i] = region{min(r.from, at.from), max(r.to, at.to) + n}
		}
	}
}

func (d *draft) report(shown string, asked int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "edited %s: %s, %s", shown, many(len(d.regions), "replacement"), d.changedLines())
	if len(d.loose) > 0 {
		fmt.Fprintf(&b, " (matched not exactly but %s)", strings.Join(d.loose, "; "))
	}
	if len(d.failed) > 0 {
		fmt.Fprintf(&b, "\n%d of %d edits could not be made; the others are done. %s", len(d.failed), asked, d.failures())
	}
	return b.String()
}

func (d *draft) failures() string {
	var b strings.Builder
	for i, f := range d.failed {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s", f.edit, f.why)
	}
	return b.String()
}

// changedLines says which lines of the result are new.
func (d *draft) changedLines() string {
	regions := slices.SortedFunc(slices.Values(d.regions), func(a, b region) int { return cmp.Compare(a.from, b.from) })
	var parts []string
	line, pos := 1, 0
	const most = 20
	for i, r := range regions {
		if i == most {
			parts = append(parts, "…")
			break
		}
		line += bytes.Count(d.data[pos:r.from], []byte{'\n'})
		pos = r.from
		last := line + bytes.Count(bytes.TrimSuffix(d.data[r.from:r.to], []byte{'\n'}), []byte{'\n'})
		part := fmt.Sprint(line)
		if last > line {
			part = fmt.Sprintf("%d-%d", line, last)
		}
		if n := len(parts); n == 0 || parts[n-1] != part {
			parts = append(parts, part)
		}
	}
	if len(parts) == 1 && !strings.Contains(parts[0], "-") {
		return "line " + parts[0]
	}
	return "lines " + strings.Join(parts, ", ")
}

// maxLineList bounds a list of lines.
const maxLineList = 200

// lineList names the lines of places, each once.
func (d *draft) lineList(at []region) string {
	var parts []string
	line, pos, more := 1, 0, ""
	for i, r := range at {
		line += bytes.Count(d.data[pos:r.from], []byte{'\n'})
		pos = r.from
		if part := fmt.Sprint(line); len(parts) == 0 || parts[len(parts)-1] != part {
			parts = append(parts, part)
		}
		if len(parts) == maxLineList && i+1 < len(at) {
			more = fmt.Sprintf(" and %s further on", thousands(len(at)-i-1))
			break
		}
	}
	if len(parts) == 1 {
		return "line " + parts[0]
	}
	return "lines " + strings.Join(parts, ", ") + more
}
