package tools

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // decoders of image.Decode
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // as above

	"github.com/coder-agent/coder/agent"
)

// Bounds of pictures. Claude's documentation: beyond 1,568 pixels a picture is made smaller there, which costs time and shows
// no more; 2,000 pixels and 5 MB of base64 are refused. The other providers take as much.
const (
	longestSide     = 1568     // pixels, as it is sent
	mostPixels      = 25 << 20 // of a file: its decoding takes up to some 300 MB
	mostPictureFile = 32 << 20 // bytes
	mostPictureSent = 3 << 20  // bytes: 4 MB as base64
	pngUpTo         = 1 << 20  // bytes: a larger one is tried as JPEG, too
)

// decoder is held while a picture is in memory as pixels: two at once would take twice as much.
var decoder = make(chan struct{}, 1)

// readPicture gives the model a picture, small enough for it, without what else the file holds, such as where a photo was taken.
func readPicture(ctx context.Context, s session, p *place, f *os.File, info fs.FileInfo) (agent.Result, error) {
	select {
	case decoder <- struct{}{}:
		defer func() { <-decoder }()
	case <-ctx.Done():
		return agent.Result{}, context.Cause(ctx)
	}
	head := headOf(f)
	kind, size := http.DetectContentType(head), byteCount(info.Size())
	config, _, err := image.DecodeConfig(bufio.NewReader(io.NewSectionReader(f, 0, info.Size())))
	if err != nil {
		return agent.Result{}, fmt.Errorf("%s begins like %s but cannot be read (%w): it may be damaged; look at it with bash (file, xxd)", p.shown, kind, err)
	}
	fact := fmt.Sprintf("%s is %s, %d×%d pixels, %s", p.shown, kind, config.Width, config.Height, size)
	blind, model, err := s.Blind(ctx)
	switch {
	case err != nil:
		return agent.Result{}, err
	case blind:
		return agent.Result{}, fmt.Errorf("%s, and %s takes no pictures: ask the user what is in it, or to go on with a model that takes pictures; or look with bash for a program that tells (file, tesseract)", fact, model)
	case info.Size() > mostPictureFile || int64(config.Width)*int64(config.Height) > mostPixels:
		return agent.Result{}, fmt.Errorf("%s: more than is taken (%s, %s pixels); make a smaller copy with bash (convert -resize %d, sips -Z %d) and read that", fact, byteCount(mostPictureFile), thousands(mostPixels), longestSide, longestSide)
	}
	pixels, err := decode(ctx, io.NewSectionReader(f, 0, info.Size()), decodeTime)
	switch {
	case ctx.Err() != nil:
		return agent.Result{}, context.Cause(ctx)
	case errors.Is(err, errSlowPicture):
		return agent.Result{}, fmt.Errorf("%s, and was not read to its end within %v: it may be made to take long; make a smaller copy of it with bash (convert, sips) and read that", fact, decodeTime)
	case err != nil:
		return agent.Result{}, fmt.Errorf("%s, but cannot be read to its end (%w): it may be damaged or cut off", fact, err)
	}
	picture, err := encode(turned(fitted(pixels), orientation(head)), kind == "image/jpeg")
	if err != nil {
		return agent.Result{}, fmt.Errorf("%s, but cannot be made small enough: %w", fact, err)
	}
	picture.Name = visibleName(p.shown)
	return noteInstructions(ctx, s, p, agent.Result{
		Text:    fmt.Sprintf("(picture: %s, %d×%d pixels, %s%s)", kind, config.Width, config.Height, size, changes(picture, config, kind)),
		Details: readDetails{Path: p.shown}, Pictures: []agent.Picture{picture},
	})
}

// decodeTime is how long the decoding of a picture may take. Some 200 ms do for the largest; a file can be made so that a few bytes
// have all of it done again.
const decodeTime = 15 * time.Second

var errSlowPicture = errors.New("its decoding takes too long")

// decode decodes a picture, or gives up with errSlowPicture, or when the context ends.
func decode(ctx context.Context, r io.Reader, within time.Duration) (image.Image, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, within, errSlowPicture)
	defer cancel()
	pixels, _, err := image.Decode(bufio.NewReader(&lasting{ctx, r}))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return pixels, err
}

// changes says how what the model gets differs from the file.
func changes(p agent.Picture, config image.Config, kind string) (said string) {
	if max(config.Width, config.Height) > longestSide {
		said = fmt.Sprintf("; you get it at %d×%d", p.Width, p.Height)
	}
	if kind == "image/gif" {
		said += "; of an animation you get the first frame"
	}
	return said
}

// headOf returns the beginning of a file; what cannot be read is missing.
func headOf(f io.ReaderAt) []byte {
	head := make([]byte, 64<<10) // as long as a JPEG's Exif data can be
	n, _ := f.ReadAt(head, 0)
	return head[:n]
}

// lasting is a reader that ends with its context: a decoder stops when it has nothing more to read.
type lasting struct {
	ctx context.Context // of the one call
	r   io.Reader
}

func (l *lasting) Read(b []byte) (int, error) {
	if l.ctx.Err() != nil {
		return 0, context.Cause(l.ctx)
	}
	return l.r.Read(b)
}

// fitted returns the picture, made smaller if it is too large. It is halved as often as that is not too much: each of the
// new pixels is then made of all that it stands for.
func fitted(src image.Image) *image.RGBA {
	for {
		size := src.Bounds().Size()
		w, h := sentSize(size.X, size.Y)
		last := 2*w > size.X && 2*h > size.Y || max(size.X, size.Y) <= 2*longestSide
		if !last {
			w, h = (size.X+1)/2, (size.Y+1)/2
		}
		dst := image.NewRGBA(image.Rect(0, 0, w, h))
		if size == dst.Bounds().Size() {
			draw.Draw(dst, dst.Bounds(), src, src.Bounds().Min, draw.Src)
		} else {
			draw.ApproxBiLinear.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Src, nil)
		}
		if last {
			return dst
		}
		src = dst
	}
}

// sentSize returns the size of a picture as it is sent.
func sentSize(w, h int) (int, int) {
	longest := max(w, h)
	if longest <= longestSide {
		return w, h
	}
	return max(1, (w*longestSide+longest/2)/longest), max(1, (h*longestSide+longest/2)/longest)
}

var errLarge = errors.New("it stays too large")

// encode writes the picture anew: as PNG, which keeps letters sharp, or as JPEG if it is a photo or a PNG would be large.
func encode(pixels *image.RGBA, photo bool) (agent.Picture, error) {
	size := pixels.Bounds().Size()
	picture := agent.Picture{MediaType: "image/png", Width: size.X, Height: size.Y}
	var b bytes.Buffer
	if !photo {
		if err := png.Encode(&b, pixels); err != nil {
			return picture, err
		}
		if b.Len() <= pngUpTo {
			picture.Data = b.Bytes()
			return picture, nil
		}
	}
	drawn := bytes.Clone(b.Bytes())
	onWhite(pixels)
	for _, quality := range []int{85, 60, 30} {
		b.Reset()
		if err := jpeg.Encode(&b, pixels, &jpeg.Options{Quality: quality}); err != nil {
			return picture, err
		}
		if len(drawn) > 0 && len(drawn) <= mostPictureSent && len(drawn) < 2*b.Len() {
			picture.Data = drawn
			return picture, nil
		}
		if b.Len() <= mostPictureSent {
			picture.MediaType, picture.Data = "image/jpeg", b.Bytes()
			return picture, nil
		}
	}
	return picture, errLarge
}

// onWhite puts a picture with transparent places on white, which a JPEG would make black.
func onWhite(pixels *image.RGBA) {
	if pixels.Opaque() {
		return
	}
	for i := 0; i < len(pixels.Pix); i += 4 {
		p := pixels.Pix[i : i+4]
		for c := range 3 {
			p[c] += 255 - p[3] // premultiplied
		}
		p[3] = 255
	}
}
