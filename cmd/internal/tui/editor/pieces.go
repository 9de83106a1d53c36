package editor

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/coder-agent/coder/agent/plain"
)

// A Piece is a part of what was typed, as it is kept: text, or something folded. One field is set.
type Piece struct {
	Text  string `json:"text,omitempty"`
	Paste string `json:"paste,omitempty"` // text that is shown folded
	Image string `json:"image,omitempty"` // the path of a file
}

// A chip is what a buffer shows as one character: a folded paste, or an image.
type chip struct {
	label string
	paste string
	image *Attachment // nil: a paste
}

// chips are those of one editor. An id is given once, so that undo can bring a chip back; the same text, or image, has the
// same one.
type chips struct {
	list   []chip
	ids    map[string]int // by paste, or by path and content of an image
	pastes int            // numbers the labels
	images int
	bytes  int // of all pastes, also of those deleted
}

// label returns what is shown for a chip.
func (c *chips) label(id int) string {
	if id >= len(c.list) {
		return "[?]"
	}
	return c.list[id].label
}

// foldPaste makes a chip of a text. ok is false when there are too many.
func (c *chips) foldPaste(text string) (code string, ok bool) {
	if id, ok := c.ids[text]; ok {
		return chipCode(id), true
	}
	lines := lineCount(text)
	size := fmt.Sprintf("%d lines", lines)
	if lines == 1 {
		size = fmt.Sprintf("%d characters", len([]rune(text)))
	}
	c.pastes++
	return c.add(text, chip{label: fmt.Sprintf("[pasted %s #%d]", size, c.pastes), paste: text})
}

// lineCount counts lines; a break at the end begins none.
func lineCount(text string) int { return strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1 }

// addImage makes a chip of an image.
func (c *chips) addImage(a Attachment) (code string, ok bool) {
	key := fmt.Sprintf("image\x00%s\x00%x", a.Path, sha256.Sum256(a.Data)) // no paste has a NUL
	if id, ok := c.ids[key]; ok {
		return chipCode(id), true
	}
	c.images++
	label := fmt.Sprintf("[image %s %s #%d]", plain.Line(plain.Visible(a.Name), 24), kilobytes(len(a.Data)), c.images)
	return c.add(key, chip{label: label, image: &a})
}

func (c *chips) add(key string, one chip) (string, bool) {
	if len(c.list) >= maxChips {
		return "", false
	}
	if c.ids == nil {
		c.ids = make(map[string]int)
	}
	c.ids[key] = len(c.list)
	c.list = append(c.list, one)
	c.bytes += len(one.paste)
	return chipCode(len(c.list) - 1), true
}

func kilobytes(n int) string { return fmt.Sprintf("%d KB", (n+1023)/1024) }

// split cuts the text of a buffer at its chips. chip is nil for a text.
func (c *chips) split(text string, each func(text string, chip *chip)) {
	for text != "" {
		i := strings.IndexByte(text, chipMark)
		if i < 0 {
			i = len(text)
		}
		if i > 0 {
			each(text[:i], nil)
		}
		if text = text[i:]; text != "" {
			if id := chipID(text); id < len(c.list) {
				each("", &c.list[id])
			}
			text = text[chipLen:]
		}
	}
}

// pieces returns what the text of a buffer is made of.
func (c *chips) pieces(text string) (list []Piece) {
	c.split(text, func(text string, chip *chip) {
		switch {
		case chip == nil:
			list = append(list, Piece{Text: text})
		case chip.image != nil:
			list = append(list, Piece{Image: chip.image.Path})
		default:
			list = append(list, Piece{Paste: chip.paste})
		}
	})
	return list
}

// expand returns the text with pastes unfolded and the images it names. An image stands in the text by its label, so that
// the model can tell which is meant.
func (c *chips) expand(text string) (string, []Attachment) {
	var b strings.Builder
	var files []Attachment
	c.split(text, func(text string, chip *chip) {
		switch {
		case chip == nil:
			b.WriteString(text)
		case chip.image != nil:
			b.WriteString(chip.label)
			file := *chip.image
			file.Label = chip.label
			files = append(files, file)
		default:
			b.WriteString(chip.paste)
		}
	})
	return b.String(), files
}

// fold is pieces the other way round. Images are read anew; of one that is gone its path remains, as text.
func (c *chips) fold(list []Piece) string {
	var b strings.Builder
	for _, p := range list {
		switch {
		case p.Paste != "":
			if code, ok := c.foldPaste(clean(p.Paste)); ok {
				b.WriteString(code)
			}
		case p.Image != "":
			b.WriteString(c.refind(p.Image))
		default:
			b.WriteString(clean(p.Text))
		}
	}
	return b.String()
}

func (c *chips) refind(path string) string {
	a, err := ReadImage(path)
	if err != nil {
		return clean(path)
	}
	code, ok := c.addImage(a)
	if !ok {
		return clean(path)
	}
	return code
}

// plainText joins pieces as a person would read them.
func plainText(list []Piece) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.Text + p.Paste + p.Image)
	}
	return b.String()
}

// clean is text from outside as a buffer holds it: nothing in it moves a cursor, hides or reorders, and lines end in \n.
func clean(s string) string { return plain.Text(s) }
