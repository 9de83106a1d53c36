package tools

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// The one limit of all results: whichever comes first.
const (
	maxLines = 2000
	maxBytes = 30 << 10
)

// maxLog is how much of an output too long for the model is kept in a file, in bytes.
const maxLog = 10 << 20

var bom = []byte("\uFEFF")

// sniff is how much of a file tells whether it is text, in bytes: as much as ripgrep and git look at.
const sniff = 8 << 10

func isBinary(data []byte) bool {
	return bytes.IndexByte(data[:min(len(data), sniff)], 0) >= 0
}

// crlf reports whether most lines end in CR LF.
func crlf(data []byte) bool {
	pairs := bytes.Count(data, []byte("\r\n"))
	return pairs > 0 && 2*pairs > bytes.Count(data, []byte{'\n'})
}

// toCRLF ends every line in CR LF.
func toCRLF(data []byte) []byte {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte{'\n'})
	return bytes.ReplaceAll(data, []byte{'\n'}, []byte("\r\n"))
}

// lineCount counts the lines of a text; an unfinished last one counts.
func lineCount(data []byte) int {
	n := bytes.Count(data, []byte{'\n'})
	if len(data) > 0 && data[len(data)-1] != '\n' {
		n++
	}
	return n
}

// kindOfData says what a file that is not text holds: the media type and, if it has one, a plain name.
func kindOfData(name string, data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return "UTF-16 text"
	case bytes.HasPrefix(data, []byte("\x7fELF")):
		return "ELF program or library"
	case bytes.HasPrefix(data, []byte("SQLite format 3\x00")):
		return "SQLite database"
	case bytes.HasPrefix(data, []byte("MZ")):
		return "Windows program or library"
	case bytes.HasPrefix(data, []byte("\xcf\xfa\xed\xfe")) || bytes.HasPrefix(data, []byte("\xca\xfe\xba\xbe\x00\x00\x00\x02")):
		return "macOS program or library"
	case bytes.HasPrefix(data, []byte("\xca\xfe\xba\xbe")):
		return "Java class"
	case bytes.HasPrefix(data, []byte("\xfd7zXZ\x00")):
		return "xz archive"
	case bytes.HasPrefix(data, []byte("\x28\xb5\x2f\xfd")):
		return "zstd archive"
	case bytes.HasPrefix(data, []byte("BZh")):
		return "bzip2 archive"
	}
	kind, _, _ := strings.Cut(http.DetectContentType(data), ";")
	if kind == "application/octet-stream" {
		if ext := path.Ext(name); ext != "" {
			return "binary data, " + ext
		}
		return "binary data"
	}
	return kind
}

// bounded returns text if it is within the limit. Else the whole goes to a file of the session, and what is returned is
// its beginning with a last line that names the file.
func bounded(ctx context.Context, s session, tool, text string) (string, error) {
	lines := lineCount([]byte(text))
	if len(text) <= maxBytes && lines <= maxLines {
		return text, nil
	}
	f, err := scratchFile(ctx, s, tool)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text[:min(len(text), maxLog)])
	if shut := f.Close(); err == nil {
		err = shut
	}
	if err != nil {
		return "", fmt.Errorf("keeping the result in %s: %w", f.Name(), err)
	}
	shown := text[:min(len(text), maxBytes)]
	if i := strings.LastIndexByte(shown, '\n'); i > len(shown)/2 {
		shown = shown[:i+1]
	} else if len(shown) < len(text) { // in a very long line
		for !utf8.RuneStart(text[len(shown)]) {
			shown = shown[:len(shown)-1]
		}
		shown += "\n"
	}
	for n := lineCount([]byte(shown)); n > maxLines; n = lineCount([]byte(shown)) {
		shown = strings.Join(strings.SplitAfterN(shown, "\n", maxLines+1)[:maxLines], "")
	}
	return fmt.Sprintf("%s(cut here: %s of %s; all %s are in %s)", shown, many(lineCount([]byte(shown)), "line"), thousands(lines), byteCount(int64(len(text))), f.Name()), nil
}

// scratchFile makes a file of the session for what is too long for the model.
func scratchFile(ctx context.Context, s session, tool string) (*os.File, error) {
	dir, err := s.ScratchDir(ctx)
	if err != nil {
		return nil, err
	}
	return os.CreateTemp(dir, tool+"-*.txt")
}
