package tools

import (
	"net/url"
	"strings"
	"testing"
)

var somePage = &url.URL{Scheme: "https", Host: "site.example", Path: "/a/b"}

// TestHostileHTMLStaysSmall: each of these grows to gigabytes, or takes minutes, when it is converted as it stands.
func TestHostileHTMLStaysSmall(t *testing.T) {
	many := func(s string) string { return strings.Repeat(s, (256<<10)/len(s)) }
	for name, page := range map[string]string{
		"a wide row and many rows": "<table><tr>" + many("<td>x") + many("<tr><td>y"),
		"cells over cells":         "<table>" + many("<tr><td colspan=1000000 rowspan=1000000>x"),
		"tables in tables":         strings.Repeat("<table><tr><td>", 100) + many("<tr><td>x"),
		"lists in lists":           strings.Repeat("<ul><li>", 200) + many("<li>x"),
		"quotes in quotes":         strings.Repeat("<blockquote>", 400) + many("<p>x"),
		"what may need escapes":    many("*_`["),
		"deep blocks":              strings.Repeat("<div>", 450) + many("<p>x"),
		"one wide cell":            "<table><tr><td>" + many("x") + "<tr>" + strings.Repeat("<tr><td>y", 10000),
	} {
		_, text, err := markdown(page, somePage)
		if err != nil || len(text) > 10*len(page) || len(text) < 1000 {
			t.Errorf("%s: %d bytes of HTML became %d bytes, %v", name, len(page), len(text), err)
		}
	}
}

func TestABaseLeadsLinksElsewhere(t *testing.T) {
	_, text, err := markdown(`<base href="https://other.example/x/"><a href="y">z</a> <a href="mailto:a@b.example">m</a> <a href="">e</a>`, somePage)
	if want := "[z](https://other.example/x/y) [m](mailto:a@b.example) [e](https://other.example/x/)"; text != want || err != nil {
		t.Errorf("got %q, %v, want %q", text, err, want)
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{
		"", "<title>a</title><main><p>b", "<table><tr><td colspan=3>x<td><table>", "<ul><li><ol start=-9><li><pre>`", "<svg><title>t</title><a href=x>", "<a href='\x00://'>x", "<img src=x alt=']('>",
		"<blockquote><h1><b><i>x", "<!--", "<template><p>x</template><math><mi>", "\ufdd0<\ufdd1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, page string) {
		title, text, err := markdown(page, somePage)
		if err == nil && strings.ContainsAny(title, "\n\x1b") || strings.Contains(text, "javascript:") && !strings.Contains(strings.ToLower(page), "javascript:") {
			t.Errorf("title %q, text %q", title, text)
		}
		if strings.Contains(text, "could not be converted") && !strings.Contains(page, "could not be converted") {
			t.Errorf("the converter breaks at %q", page)
		}
	})
}
