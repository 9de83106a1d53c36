package pdftext

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/ledongthuc/pdf"
)

// A writer writes down what a page's program draws. The text of a PDF has no lines and few blanks: both are read from where
// the pieces stand. Pieces keep the order in which they are drawn, which keeps columns apart.
//
// Source: ISO 32000-1, 8.4.4 (graphics state), 9.3 and 9.4 (text).
type writer struct {
	out   strings.Builder
	depth int // of forms in forms

	sheet  pdf.Page
	fonts  map[string]*pdf.Font
	ctm    matrix // of what is drawn
	saved  []matrix
	tm, at matrix // of the text, and of the line's beginning
	font   *pdf.Font
	size   float64
	lead   float64 // between lines
	char   float64 // extra behind each character
	word   float64 // extra behind each blank
	scale  float64 // in width

	x, y, high float64 // where the last piece ended, and how high its letters are
	begun      bool
}

// A matrix maps a, b, c, d, e, f of a PDF.
type matrix [6]float64

var identity = matrix{1, 0, 0, 1, 0, 0}

// mul is m, then n.
func (m matrix) mul(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// errFull says that a page holds more text than is kept of one.
var errFull = errors.New("the page has more text")

const (
	deepest   = 4      // forms in forms
	mostSaved = 1 << 8 // states that wait for their return
)

// text is what was written, without blanks at the ends of lines.
func (w *writer) text() string {
	lines := strings.Split(w.out.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// page runs the program of a page.
func (w *writer) page(r *pdf.Reader, n int) (err error) {
	defer caught(&err)
	w.sheet = r.Page(n)
	if w.sheet.V.IsNull() {
		return errors.New("the page is not there")
	}
	w.ctm, w.scale = identity, 1
	contents := w.sheet.V.Key("Contents")
	if k := contents.Kind(); k != pdf.Stream && k != pdf.Array {
		return nil
	}
	w.run(contents, w.sheet.Resources())
	return nil
}

// run runs a program with the fonts and forms that it may name.
func (w *writer) run(program, resources pdf.Value) {
	fonts := w.fonts
	defer func() { w.fonts = fonts }()
	w.fonts = map[string]*pdf.Font{}
	pdf.Interpret(program, func(stack *pdf.Stack, op string) {
		args := make([]pdf.Value, stack.Len())
		for i := range slices.Backward(args) {
			args[i] = stack.Pop()
		}
		w.do(op, args, resources)
	})
}

// do does one operation; those of which nothing is read do nothing, and so do those whose arguments are missing.
func (w *writer) do(op string, args []pdf.Value, resources pdf.Value) {
	if n, ok := arity[op]; !ok || len(args) < n {
		return
	}
	args = args[len(args)-arity[op]:]
	num := func(i int) float64 { return args[i].Float64() }
	switch op {
	case "q":
		if len(w.saved) < mostSaved {
			w.saved = append(w.saved, w.ctm)
		}
	case "Q":
		if n := len(w.saved); n > 0 {
			w.ctm, w.saved = w.saved[n-1], w.saved[:n-1]
		}
	case "cm":
		w.ctm = matrix{num(0), num(1), num(2), num(3), num(4), num(5)}.mul(w.ctm)
	case "BT":
		w.tm, w.at = identity, identity
	case "Tf":
		w.font, w.size = w.fontOf(args[0].Name(), resources), num(1)
	case "TL":
		w.lead = num(0)
	case "Tc":
		w.char = num(0)
	case "Tw":
		w.word = num(0)
	case "Tz":
		w.scale = num(0) / 100
	case "Tm":
		w.at = matrix{num(0), num(1), num(2), num(3), num(4), num(5)}
		w.tm = w.at
	case "Td":
		w.move(num(0), num(1))
	case "TD":
		w.lead = -num(1)
		w.move(num(0), num(1))
	case "T*":
		w.move(0, -w.lead)
	case "Tj":
		w.show(args[0].RawString())
	case "'":
		w.move(0, -w.lead)
		w.show(args[0].RawString())
	case "\"":
		w.word, w.char = num(0), num(1)
		w.move(0, -w.lead)
		w.show(args[2].RawString())
	case "TJ":
		w.showSpaced(args[0])
	case "Do":
		w.form(resources.Key("XObject").Key(args[0].Name()), resources)
	}
}

// arity is how many arguments the operations have that say where text stands.
var arity = map[string]int{
	"q": 0, "Q": 0, "cm": 6, "BT": 0, "Tf": 2, "TL": 1, "Tc": 1, "Tw": 1, "Tz": 1, "Tm": 6, "Td": 2, "TD": 2, "T*": 0,
	"Tj": 1, "'": 1, "\"": 3, "TJ": 1, "Do": 1,
}

func (w *writer) fontOf(name string, resources pdf.Value) *pdf.Font {
	f, ok := w.fonts[name]
	if !ok {
		f = &pdf.Font{V: resources.Key("Font").Key(name)}
		w.fonts[name] = f
	}
	return f
}

// form draws a form: a program that is drawn by its name.
func (w *writer) form(x, resources pdf.Value) {
	if x.Kind() != pdf.Stream || x.Key("Subtype").Name() != "Form" || w.depth == deepest {
		return
	}
	ctm, saved := w.ctm, w.saved
	w.depth++
	if m := x.Key("Matrix"); m.Len() == 6 {
		var by matrix
		for i := range by {
			by[i] = m.Index(i).Float64()
		}
		w.ctm = by.mul(w.ctm)
	}
	if own := x.Key("Resources"); !own.IsNull() {
		resources = own
	}
	w.run(x, resources)
	w.depth--
	w.ctm, w.saved = ctm, saved
}

// move goes to another place, counted from the line's beginning.
func (w *writer) move(x, y float64) {
	w.at = matrix{1, 0, 0, 1, x, y}.mul(w.at)
	w.tm = w.at
}

// showSpaced shows pieces with room between them, in thousandths of the letters' size; less than nothing widens.
func (w *writer) showSpaced(list pdf.Value) {
	for i := range list.Len() {
		switch piece := list.Index(i); piece.Kind() {
		case pdf.String:
			w.show(piece.RawString())
		case pdf.Integer, pdf.Real:
			w.advance(-piece.Float64() / 1000 * w.size * w.scale)
		}
	}
}

func (w *writer) advance(x float64) { w.tm = matrix{1, 0, 0, 1, x, 0}.mul(w.tm) }

// show writes a piece, behind a blank or on a new line if there is room before it.
func (w *writer) show(raw string) {
	text := w.decode(raw)
	if text == "" {
		return
	}
	if w.out.Len()+len(text) > mostPage {
		panic(errFull)
	}
	from := w.tm.mul(w.ctm)
	high := math.Abs(w.size) * math.Hypot(from[2], from[3])
	if high == 0 || math.IsNaN(high) || math.IsInf(high, 0) {
		high = 1
	}
	if w.begun {
		w.gap(from[4], from[5], max(high, w.high))
	}
	w.out.WriteString(text)
	w.advance(w.width(raw, text))
	to := w.tm.mul(w.ctm)
	w.x, w.y, w.high, w.begun = to[4], to[5], high, true
}

// gap writes what stands between the last piece and one that begins here.
func (w *writer) gap(x, y, high float64) {
	last := w.out.String()[w.out.Len()-1]
	switch {
	case math.Abs(y-w.y) > 1.8*high:
		w.out.WriteString("\n\n")
	case math.Abs(y-w.y) > high/2:
		w.out.WriteByte('\n')
	case last != ' ' && last != '\n' && (x-w.x > high*0.18 || x-w.x < -high):
		w.out.WriteByte(' ')
	}
}

// decode gives the letters of a piece. A font that does not say what its codes mean gives none that are letters.
func (w *writer) decode(raw string) string {
	if w.font == nil || w.font.V.IsNull() {
		return raw
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' {
			return -1
		}
		return r
	}, w.font.Encoder().Decode(raw))
}

// width is how far a piece goes.
func (w *writer) width(raw, text string) float64 {
	total := 0.0
	if w.font != nil && w.font.V.Key("Subtype").Name() != "Type0" {
		for _, code := range []byte(raw) {
			wide := w.font.Width(int(code))
			if wide == 0 {
				wide = usual
			}
			total += wide/1000*w.size + w.char
			if code == ' ' {
				total += w.word
			}
		}
	} else {
		n := float64(len([]rune(text)))
		total = n * (usual/1000*w.size + w.char)
	}
	return total * w.scale
}

// usual is how wide a letter is whose font does not say, in thousandths of its height.
const usual = 500
