package tools

import "strings"

// Show is what the patch does to each file. It is not the patch as it came: what stands around it is not run.
func (a patchArgs) Show(func(string) string) string { return shownPatch(a) }

func shownPatch(a patchArgs) string {
	var out []string
	for _, s := range a.sections {
		title := string(s.kind) + " " + s.path
		if s.to != "" {
			title += ", move to " + s.to
		}
		out = append(out, title+":")
		out = append(out, marked("+ ", lines(s.content))...)
		for _, h := range s.hunks {
			out = append(out, marked("@@ ", h.headers)...)
			if len(h.headers) == 0 && len(s.hunks) > 1 {
				out = append(out, "@@")
			}
			for _, l := range h.lines {
				out = append(out, string(l.op)+" "+l.text)
			}
		}
	}
	return strings.Join(out, "\n")
}
