package editor

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func picture(t *testing.T, path string) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPastedPathsOfImagesAreAttached(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("terminals write paths in other ways there")
	}
	dir := t.TempDir()
	shot, blank := picture(t, filepath.Join(dir, "shot.png")), picture(t, filepath.Join(dir, "my shot.png"))
	text := filepath.Join(dir, "text.png")
	if err := os.WriteFile(text, []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, paste string
		want        []string // paths
	}{
		{"a path", shot, []string{shot}},
		{"with a line break, as a drop sends it", shot + "\n", []string{shot}},
		{"with a blank in it", blank, []string{blank}},
		{"quoted", "'" + blank + "'", []string{blank}},
		{"escaped", strings.ReplaceAll(blank, " ", `\ `), []string{blank}},
		{"a file URL", "file://" + strings.ReplaceAll(blank, " ", "%20"), []string{blank}},
		{"several", shot + " '" + blank + "'", []string{shot, blank}},
		{"in the home folder", "~/shot.png", []string{shot}},
		{"relative paths are text", "shot.png", nil},
		{"what is not there is text", filepath.Join(dir, "no.png"), nil},
		{"what is no picture is text", text, nil},
		{"a path in a sentence is text", "see " + shot, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, Options{Home: dir})
			d.send1(tea.PasteMsg{Content: tt.paste})
			d.do(" look<enter>")
			got := lastSaid[Submit](d)
			var paths []string
			for _, a := range got.Attachments {
				paths = append(paths, a.Path)
				if f := a.File(); f.MediaType != "image/png" || !strings.HasPrefix(f.URL, "data:image/png;base64,iVBOR") || f.Filename != a.Name {
					t.Errorf("%s becomes the part %+v", a.Path, f)
				}
			}
			if strings.Join(paths, "|") != strings.Join(tt.want, "|") {
				t.Errorf("pasting %q attaches %q and sends %q, want %q", tt.paste, paths, got.Text, tt.want)
			}
			if tt.want == nil && !strings.HasPrefix(got.Text, strings.TrimSpace(tt.paste)) {
				t.Errorf("pasting %q sends %q, want it as text", tt.paste, got.Text)
			}
		})
	}
}

func TestImagesThatAreTooLargeAreTold(t *testing.T) {
	path := picture(t, filepath.Join(t.TempDir(), "large.png"))
	if err := os.Truncate(path, MaxImage+1); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, Options{})
	d.send1(tea.PasteMsg{Content: path})
	var refused *ImageError
	if !errors.As(lastSaid[Notice](d).Err, &refused) || refused.Path != path || d.Value() != path {
		t.Errorf("a large image tells %v and leaves %q, want an *ImageError and the path", d.said, d.Value())
	}
}

// TestAnImageThatIsGoneIsSentAllTheSame: it was read when it was attached.
func TestAnImageThatIsGoneIsSentAllTheSame(t *testing.T) {
	path := picture(t, filepath.Join(t.TempDir(), "shot.png"))
	d := newDesk(t, Options{})
	d.send1(tea.PasteMsg{Content: path})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := lastSaid[Submit](d.do("<enter>")); len(got.Attachments) != 1 || got.Text != "[image shot.png 1 KB #1]" {
		t.Errorf("sent is %+v, want the image", got)
	}
}

// TestAnEditKeepsTheImages of the prompt that waits.
func TestAnEditKeepsTheImages(t *testing.T) {
	path := picture(t, filepath.Join(t.TempDir(), "shot.png"))
	d := newDesk(t, Options{})
	d.send1(tea.PasteMsg{Content: path})
	sent := lastSaid[Submit](d.do("what is this<enter>"))
	d.Edit("q", "prompt 1", sent.Text, sent.Attachments...)
	got := lastSaid[Submit](d.do("?<enter>"))
	if len(got.Attachments) != 1 || got.Text != "[image shot.png 1 KB #1] what is this?" || len(got.Parts()) != 2 {
		t.Errorf("the edit sends %+v, want the image too", got)
	}
}

func TestPastesAreBounded(t *testing.T) {
	d := newDesk(t, Options{})
	large := strings.Repeat("0123456789abcde\n", MaxText/2/16)
	d.send1(tea.PasteMsg{Content: large})
	d.send1(tea.PasteMsg{Content: large + large})
	var long *TooLongError
	if !errors.As(lastSaid[Notice](d).Err, &long) || d.Value() != large {
		t.Errorf("three halves of what fits tell %v and leave %d bytes, want a *TooLongError and one half", d.said, len(d.Value()))
	}
}

func TestExternalEditor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	shot := picture(t, filepath.Join(t.TempDir(), "shot.png"))
	d := newDesk(t, Options{Dir: dir, External: ExternalCommand(t.Context(), "ed -x 'a b'")}).do("before <<" + tenLines + ">> ")
	d.send1(tea.PasteMsg{Content: shot})
	command, err := d.opts.External("/x/y z.md")
	if err != nil || strings.Join(command.Args, "|") != "ed|-x|a b|/x/y z.md" {
		t.Errorf("the command is %v (%v)", command, err)
	}
	path, err := d.writeTemp()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || filepath.Dir(path) != dir || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %s, %v (%v); want mode 0600 in %s", path, info, err, dir)
	}
	data, err := os.ReadFile(path)
	if want := "before " + tenLines + " [image shot.png 1 KB #1] "; err != nil || string(data) != want {
		t.Fatalf("the editor is given %q (%v), want %q", data, err, want)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), "before", "after\x1b[31m", 1)+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.send1(edited{path: path})
	if got, want := d.withCursor(), "after [pasted 10 lines #1] [image shot.png 1 KB #1] |"; got != want {
		t.Errorf("after editing there is %q, want %q", got, want)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestExternalEditorThatFailsKeepsTheDraft(t *testing.T) {
	d := newDesk(t, Options{Dir: t.TempDir(), External: ExternalCommand(t.Context(), "")}).do("draft<ctrl+g>")
	if err := lastSaid[Notice](d).Err; !strings.Contains(err.Error(), "$VISUAL") || d.Value() != "draft" {
		t.Errorf("without an editor there is %v and %q", err, d.Value())
	}
	path, err := d.writeTemp()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.send1(edited{path: path, err: errors.New("exit status 1")})
	if got := lastSaid[Notice](d).Err.Error(); !strings.Contains(got, "exit status 1") || d.Value() != "draft" {
		t.Errorf("an editor that fails gives %q and leaves %q", got, d.Value())
	}
	if left, err := os.ReadDir(d.opts.Dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v (%v)", left, err)
	}
}
