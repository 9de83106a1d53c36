package tools

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// drawing is a picture of a few colours, red in its upper left corner.
func drawing(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x / 40 * 40), uint8(y / 40 * 40), 200, 255})
		}
	}
	for y := range h / 4 {
		for x := range w / 4 {
			img.SetNRGBA(x, y, color.NRGBA{255, 0, 0, 255})
		}
	}
	return img
}

// noise is a picture that no encoder makes small.
func noise(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(img.Pix)
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	return img
}

func pngOf(t testing.TB, img image.Image, level png.CompressionLevel) string {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: level}).Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func jpegOf(t testing.TB, img image.Image) string {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gifOf(t testing.TB, frames int) string {
	t.Helper()
	var all gif.GIF
	for i := range frames {
		frame := image.NewPaletted(image.Rect(0, 0, 60, 40), color.Palette{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}})
		for p := range frame.Pix {
			frame.Pix[p] = uint8(min(i, 1))
		}
		all.Image, all.Delay = append(all.Image, frame), append(all.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &all); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// bomb is the beginning of a PNG that says to be as large as this.
func bomb(w, h uint32) string {
	header := []byte("IHDR")
	header = binary.BigEndian.AppendUint32(header, w)
	header = binary.BigEndian.AppendUint32(header, h)
	header = append(header, 8, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	return string(binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(header)))
}

// cmyk is a JPEG of 8×8 pixels with four components, as printers make them: each block is one that is all mean.
func cmyk() string {
	b := []byte("\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00")    // no transform
	b = append(append(b, 0xff, 0xdb, 0, 67, 0), bytes.Repeat([]byte{1}, 64)...) // one quantisation table
	b = append(b, 0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4)                          // baseline, 8×8, four components
	b = append(b, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0)               //
	for _, class := range []byte{0x00, 0x10} {                                  // one code of one bit in each Huffman table
		b = append(append(b, 0xff, 0xc4, 0, 20, class, 1), make([]byte, 16)...) // 15 empty lengths, and the value 0
	}
	b = append(b, 0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0)
	return string(append(b, 0x00, 0xff, 0xd9)) // eight bits: no difference and no more, four times
}

// exif puts an orientation into a JPEG.
func exif(data string, orientation byte) string {
	tiff := "MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00\x00\x00\x00\x00"
	return data[:2] + "\xff\xe1\x00" + string(rune(2+6+len(tiff))) + "Exif\x00\x00" + tiff + data[2:]
}

const webp = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"

func TestReadGivesPictures(t *testing.T) {
	clear := image.NewNRGBA(image.Rect(0, 0, 20, 10))
	point, err := base64.StdEncoding.DecodeString(webp)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, data string
		kind       string
		w, h       int
		text       string
	}{
		{"a PNG", pngOf(t, drawing(80, 60), png.DefaultCompression), "image/png", 80, 60, "(picture: image/png, 80×60 pixels, "},
		{"one that is too wide", pngOf(t, drawing(3000, 2000), png.BestSpeed), "image/png", 1568, 1045, "3000×2000 pixels"},
		{"one that is too high by far", pngOf(t, drawing(4, 8000), png.BestSpeed), "image/png", 1, 1568, "you get it at 1×1568"},
		{"a transparent one", pngOf(t, clear, png.DefaultCompression), "image/png", 20, 10, "20×10"},
		{"a photo", jpegOf(t, drawing(80, 60)), "image/jpeg", 80, 60, "image/jpeg, 80×60"},
		{"an animation", gifOf(t, 3), "image/png", 60, 40, "of an animation you get the first frame"},
		{"a WebP", string(point), "image/png", 1, 1, "image/webp, 1×1"},
		{"a CMYK JPEG", cmyk(), "image/jpeg", 8, 8, "8×8"},
		{"20 MB of noise", pngOf(t, noise(2700, 2500), png.NoCompression), "image/jpeg", 1568, 1452, "19 MB; you get it at 1568×1452"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSession(t)
			s.put(t, "pic", tt.data)
			res, err := do(t, s, read, `{"path":"pic"}`)
			if err != nil {
				t.Fatal(err)
			}
			contains(t, res.Text, tt.text)
			if len(res.Pictures) != 1 {
				t.Fatalf("read gave %d pictures, want 1", len(res.Pictures))
			}
			p := res.Pictures[0]
			if p.MediaType != tt.kind || p.Width != tt.w || p.Height != tt.h || p.Name != "pic" || len(p.Data) > mostPictureSent {
				t.Errorf("got %s of %d×%d with %d bytes, named %q; want %s of %d×%d", p.MediaType, p.Width, p.Height, len(p.Data), p.Name, tt.kind, tt.w, tt.h)
			}
			config, kind, err := image.DecodeConfig(bytes.NewReader(p.Data))
			if err != nil || "image/"+kind != tt.kind || config.Width != tt.w || config.Height != tt.h {
				t.Errorf("its data is %s of %d×%d (%v)", kind, config.Width, config.Height, err)
			}
		})
	}
}

func TestReadKeepsTheColoursOfAPicture(t *testing.T) {
	for name, data := range map[string]string{
		"a large drawing": pngOf(t, drawing(4000, 3000), png.BestSpeed), // halved once, then scaled
		"an animation":    gifOf(t, 3),
	} {
		s := newSession(t)
		s.put(t, "pic", data)
		res, err := do(t, s, read, `{"path":"pic"}`)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(res.Pictures[0].Data))
		if err != nil {
			t.Fatal(err)
		}
		if r, g, b, _ := img.At(10, 10).RGBA(); r>>8 != 255 || g != 0 || b != 0 {
			t.Errorf("%s is %d,%d,%d in its corner, want red", name, r>>8, g>>8, b>>8)
		}
	}
}

func TestReadTurnsAPhotoUpright(t *testing.T) {
	corners := map[byte]image.Point{ // where the red corner of the stored picture is looked at
		1: {10, 10}, 2: {70, 10}, 3: {70, 50}, 4: {10, 50},
		5: {10, 10}, 6: {50, 10}, 7: {50, 70}, 8: {10, 70},
	}
	for o, at := range corners {
		s := newSession(t)
		s.put(t, "pic.jpg", exif(jpegOf(t, drawing(80, 60)), o))
		res, err := do(t, s, read, `{"path":"pic.jpg"}`)
		if err != nil {
			t.Fatal(err)
		}
		p := res.Pictures[0]
		if want := image.Pt(80, 60); o < 5 && (p.Width != want.X || p.Height != want.Y) || o >= 5 && (p.Width != want.Y || p.Height != want.X) {
			t.Errorf("orientation %d gives %d×%d", o, p.Width, p.Height)
		}
		img, err := jpeg.Decode(bytes.NewReader(p.Data))
		if err != nil {
			t.Fatal(err)
		}
		if r, g, _, _ := img.At(at.X, at.Y).RGBA(); r>>8 < 200 || g>>8 > 60 {
			t.Errorf("orientation %d: the picture is not red at %v", o, at)
		}
		if bytes.Contains(p.Data, []byte("Exif")) {
			t.Errorf("what else the file holds is sent along")
		}
	}
}

func TestReadRefusesPictures(t *testing.T) {
	small := pngOf(t, drawing(80, 60), png.DefaultCompression)
	for _, tt := range []struct {
		name, data string
		blind      bool
		want       string
	}{
		{"that a model does not take", small, true, "80×60 pixels, " + byteCount(int64(len(small))) + ", and vendor/model takes no pictures: ask the user"},
		{"that would fill the memory", bomb(50_000, 50_000), false, "50000×50000 pixels, 33 bytes: more than is taken"},
		{"that are cut off", small[:len(small)/2], false, "cannot be read to its end"},
		{"that are only a beginning", "\x89PNG\r\n\x1a\n", false, "begins like image/png but cannot be read"},
		{"of more bytes than are taken", small + strings.Repeat("\x00", mostPictureFile), false, "make a smaller copy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSession(t)
			s.blind = tt.blind
			s.put(t, "pic.png", tt.data)
			contains(t, refused(t, s, read, `{"path":"pic.png"}`), tt.want)
		})
	}
}

func TestReadOfAPictureIsCancelled(t *testing.T) {
	s := newSession(t)
	s.put(t, "pic.png", pngOf(t, drawing(80, 60), png.DefaultCompression))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if _, err := read(ctx, s, readArgs{Path: "pic.png"}); !errors.Is(err, why) {
		t.Errorf("err = %v, want %v", err, why)
	}
}

func FuzzOrientation(f *testing.F) {
	f.Add([]byte(exif("\xff\xd8\xff\xda", 6)))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II\x2a\x00\xff\xff\xff\xff"))
	f.Add([]byte("\xff\xd8\xff0\x00\x00")) // shorter than its own length
	f.Fuzz(func(t *testing.T, head []byte) {
		if o := orientation(head); o < 1 || o > 8 {
			t.Errorf("orientation(%q) = %d", head, o)
		}
	})
}

// slowJPEG is a small file that takes hours to decode: a large progressive picture, all of it sent again and again.
func slowJPEG(scans int) []byte {
	var b bytes.Buffer
	seg := func(marker byte, data ...byte) {
		b.Write([]byte{0xff, marker})
		_ = binary.Write(&b, binary.BigEndian, uint16(len(data)+2))
		b.Write(data)
	}
	b.Write([]byte{0xff, 0xd8})
	q := make([]byte, 65)
	for i := range q {
		q[i] = 1
	}
	q[0] = 0
	seg(0xdb, q...)
	seg(0xc2, 8, 5000>>8, 5000&0xff, 5000>>8, 5000&0xff, 1, 1, 0x11, 0)
	// One code each for DC and AC: the latter is a run of 16,384 blocks without anything, or more by the 14 bits behind it.
	seg(0xc4, append([]byte{0x00, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0)...)
	seg(0xc4, append([]byte{0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0xe0)...)
	for range scans {
		seg(0xda, 1, 1, 0x00, 1, 63, 0)
		bits := strings.Repeat("0"+strings.Repeat("1", 14), 12) // each a run of 32,767 blocks
		for bits += "1111111"; len(bits) >= 8; bits = bits[8:] {
			n, _ := strconv.ParseUint(bits[:8], 2, 8)
			if b.WriteByte(byte(n)); n == 0xff {
				b.WriteByte(0)
			}
		}
	}
	b.Write([]byte{0xff, 0xd9})
	return b.Bytes()
}

// TestAPictureThatTakesTooLong: a few bytes of a JPEG can have all of its blocks gone through again.
func TestAPictureThatTakesTooLong(t *testing.T) {
	began := time.Now()
	_, err := decode(t.Context(), bytes.NewReader(slowJPEG(20_000)), 200*time.Millisecond)
	if took := time.Since(began); !errors.Is(err, errSlowPicture) || took > 10*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}
