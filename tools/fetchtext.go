package tools

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"github.com/coder-agent/coder/agent/plain"
)

// mediaType is the type that a server names, without its parameters; "" if it names none.
func mediaType(header string) string {
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		kind, _, _ = strings.Cut(header, ";")
	}
	return plain.Line(strings.ToLower(strings.TrimSpace(kind)), 100)
}

// unreadable reports whether data of a type is no text, so that there is no need to fetch it.
func unreadable(kind string) bool {
	if strings.HasSuffix(kind, "+xml") || strings.HasSuffix(kind, "+json") {
		return false
	}
	top, _, _ := strings.Cut(kind, "/")
	return slices.Contains([]string{"image", "audio", "video", "font", "model"}, top) || slices.Contains([]string{
		"application/pdf", "application/zip", "application/gzip", "application/x-gzip", "application/x-tar", "application/x-bzip2", "application/x-xz",
		"application/zstd", "application/x-7z-compressed", "application/java-archive", "application/wasm", "application/vnd.ms-excel", "application/msword",
	}, kind)
}

// A binaryError says that a page has no text.
type binaryError struct {
	url, kind string
	size      int64 // -1: not known
}

func (e *binaryError) Error() string {
	size := ""
	if e.size >= 0 {
		size = ", " + byteCount(e.size)
	}
	return fmt.Sprintf("%s is %s%s: no text to show; if its bytes are needed, get them into a file with bash (curl -o with network: true, which asks the user)", e.url, e.kind, size)
}

// filled is the page with the text that data is.
func (p page) filled(data []byte, contentType string) (page, error) {
	if p.kind == "" || p.kind == "application/octet-stream" {
		contentType = http.DetectContentType(data)
		p.kind = mediaType(contentType)
	}
	text := decoded(data, contentType)
	if unreadable(p.kind) || isBinary([]byte(text)) {
		kind := mediaType(http.DetectContentType(data))
		if p.kind != "" && p.kind != kind && kind == "application/octet-stream" {
			kind = p.kind
		}
		return p, &binaryError{p.url, kind, int64(len(data))}
	}
	if p.kind == "text/html" || p.kind == "application/xhtml+xml" {
		from, err := url.Parse(p.url)
		if err != nil {
			return p, err
		}
		if p.title, text, err = markdown(text, from); err != nil {
			return p, fmt.Errorf("%s is HTML that cannot be read: %s; look for another page", p.url, plain.VisibleLine(err.Error(), 200))
		}
		if text == "" {
			text = "(no text: its content may be made by scripts, which are not run)"
		}
	}
	if len(text) > maxPage { // as markdown, or in UTF-8
		text, p.cut = string(whole([]byte(text[:maxPage]))), true
	}
	if p.text = plain.Output(text); p.text == "" {
		p.text = "(empty)"
	}
	return p, nil
}

// decoded is data as UTF-8, by its byte order mark, the charset that the server or the page itself names, or its looks.
func decoded(data []byte, contentType string) string {
	encoding, _, certain := charset.DetermineEncoding(data, contentType)
	if !certain && utf8.Valid(whole(data)) {
		return string(whole(data))
	}
	text, err := encoding.NewDecoder().Bytes(data)
	if err != nil {
		text = data
	}
	return strings.ToValidUTF8(string(bytes.TrimPrefix(text, bom)), "\uFFFD")
}

// whole is data without a character at its end that is not all there.
func whole(data []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(data); i++ {
		if last := data[len(data)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return data[:len(data)-i]
			}
			break
		}
	}
	return data
}
