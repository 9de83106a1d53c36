package render

import (
	"strings"

	"github.com/yuin/goldmark/ast"
)

// codeMemory keeps what was coloured of the code in a block that is still open, so that one more line costs one line.
type codeMemory struct {
	blocks []codeBlock // in the order of the text
}

// A codeBlock is code as far as its lines were complete.
type codeBlock struct {
	info  string
	width int
	text  string
	rows  []row
	code  highlighter
}

// fenced paints a fence that stands inside another block.
func (p *painter) fenced(n *ast.FencedCodeBlock, width int) []row {
	info := ""
	if n.Info != nil {
		info = string(n.Info.Segment.Value(p.source))
	}
	var b strings.Builder
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		b.Write(line.Value(p.source))
	}
	block := p.remember(info, b.String(), width)
	rows := append([]row{p.theme.codeHead(info, width)}, block.rows...)
	if rest := b.String()[len(block.text):]; rest != "" {
		code := block.code
		rows = append(rows, code.rows(strings.TrimSuffix(rest, "\n"), width)...)
	}
	return append(rows, p.theme.codeFoot(width))
}

// remember returns the block that stands at this place, with all lines of text added but the last, which may go on.
func (p *painter) remember(info, text string, width int) codeBlock {
	var block codeBlock
	at := p.code
	p.code++
	if p.codes != nil && at < len(p.codes.blocks) {
		block = p.codes.blocks[at]
	}
	if block.info != info || block.width != width || block.code.theme != p.theme || !strings.HasPrefix(text, block.text) {
		block = codeBlock{info: info, width: width, code: p.theme.highlighter(info)}
	}
	end := strings.LastIndexByte(strings.TrimSuffix(text, "\n"), '\n') + 1
	for line := range strings.Lines(text[len(block.text):max(end, len(block.text))]) {
		block.rows = append(block.rows, block.code.rows(strings.TrimSuffix(line, "\n"), width)...)
		block.text = text[:len(block.text)+len(line)]
	}
	switch {
	case p.codes == nil:
	case at < len(p.codes.blocks):
		p.codes.blocks[at] = block
	default:
		p.codes.blocks = append(p.codes.blocks, block)
	}
	return block
}
