package editor

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// Bounds of attachments. A provider takes 5 MB of an image, the host 32 MiB of a frame, in base64.
const (
	MaxImage  = 5 << 20
	MaxImages = 20 << 20 // together
	maxPaths  = 20       // images of one paste
)

// imageTypes are what models look at, by the end of the name.
var imageTypes = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
}

// An Attachment is an image that goes with a prompt. It was read when it was attached: the file may be gone by now.
type Attachment struct {
	Path      string // absolute
	Name      string
	MediaType string
	Data      []byte
	Label     string // how it stands in the text of its Submit
}

// File returns the attachment as a part of a message.
func (a Attachment) File() chat.File {
	return chat.File{
		MediaType: a.MediaType, Filename: a.Name,
		URL: "data:" + a.MediaType + ";base64," + base64.StdEncoding.EncodeToString(a.Data),
	}
}

// An ImageError says why a file is not attached.
type ImageError struct {
	Path string
	Err  error
}

func (e *ImageError) Error() string { return fmt.Sprintf("attaching %s: %v", e.Path, e.Err) }
func (e *ImageError) Unwrap() error { return e.Err }

// Hint says what can be attached.
func (e *ImageError) Hint() string {
	return fmt.Sprintf("an image is PNG, JPEG, GIF or WebP and has at most %d MB, all of a prompt together %d MB", MaxImage>>20, MaxImages>>20)
}

var errNoImage = errors.New("it is no image that models look at")

// ReadImage reads an image. Anything else, by its name or by its content, is an *ImageError.
func ReadImage(path string) (Attachment, error) {
	a, err := readImage(path)
	if err != nil {
		return a, &ImageError{Path: path, Err: err}
	}
	return a, nil
}

func readImage(path string) (Attachment, error) {
	if imageTypes[strings.ToLower(filepath.Ext(path))] == "" {
		return Attachment{}, errNoImage
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Attachment{}, err
	case !info.Mode().IsRegular():
		return Attachment{}, errors.New("it is no plain file")
	case info.Size() > MaxImage:
		return Attachment{}, fmt.Errorf("it has %s", kilobytes(int(info.Size())))
	}
	f, err := os.Open(path)
	if err != nil {
		return Attachment{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxImage+1))
	if err != nil {
		return Attachment{}, err
	}
	kind := http.DetectContentType(data)
	if len(data) > MaxImage || !strings.HasPrefix(kind, "image/") || !known(kind) {
		return Attachment{}, errNoImage
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return Attachment{Path: path, Name: filepath.Base(path), MediaType: kind, Data: data}, nil
}

func known(kind string) bool {
	for _, k := range imageTypes {
		if k == kind {
			return true
		}
	}
	return false
}

// imagePaths takes a paste for what a terminal sends when files are dropped on it: paths, with blanks between them that
// are quoted, escaped or part of a file: URL. It is nil when that is not what it is, or one of them is no image by name.
func imagePaths(pasted, home string) []string {
	pasted = strings.TrimSpace(pasted)
	if pasted == "" || len(pasted) > 16<<10 {
		return nil
	}
	if one := filePath(pasted, home); isImageName(one) && filepath.IsAbs(one) && exists(one) {
		return []string{one} // as it is, blanks and all
	}
	var paths []string
	for _, word := range words(pasted) {
		path := filePath(word, home)
		if !isImageName(path) || !filepath.IsAbs(path) || len(paths) == maxPaths {
			return nil
		}
		paths = append(paths, path)
	}
	return paths
}

func isImageName(path string) bool { return imageTypes[strings.ToLower(filepath.Ext(path))] != "" }

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// filePath resolves a file: URL and ~.
func filePath(s, home string) string {
	if u, err := url.Parse(s); err == nil && u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") {
		if runtime.GOOS == "windows" {
			return filepath.FromSlash(strings.TrimPrefix(u.Path, "/"))
		}
		return u.Path
	}
	if rest, ok := strings.CutPrefix(s, "~/"); ok && home != "" {
		return filepath.Join(home, rest)
	}
	return s
}

// words cuts a line as a shell does: at blanks that are not quoted or escaped. On Windows a backslash is part of a path.
func words(line string) (list []string) {
	var b strings.Builder
	var quote rune
	inside, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'' && runtime.GOOS != "windows":
			escaped, inside = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inside = r, true
		case r == ' ' || r == '\n' || r == '\t':
			if inside {
				list = append(list, b.String())
				b.Reset()
			}
			inside = false
		default:
			b.WriteRune(r)
			inside = true
		}
	}
	if inside {
		list = append(list, b.String())
	}
	return list
}
