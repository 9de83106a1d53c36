package tools

import (
	"bytes"
	"encoding/binary"
	"image"
)

// upright is the orientation of a picture that is stored as it is looked at.
const upright = 1

// orientation returns how a camera was held when it took a JPEG, 1 to 8 as its Exif data says.
//
// Source: Exif 2.32, 4.5.4 (segments of a JPEG), 4.6.2 (TIFF header and fields), tag 0x0112.
func orientation(head []byte) int {
	if !bytes.HasPrefix(head, []byte{0xff, 0xd8}) {
		return upright
	}
	for at := 2; at+4 <= len(head) && head[at] == 0xff && head[at+1] != 0xda; {
		size := 2 + int(binary.BigEndian.Uint16(head[at+2:]))
		if size < 4 { // the length counts itself
			return upright
		}
		segment := head[at:min(at+size, len(head))]
		if data, ok := bytes.CutPrefix(segment[4:], []byte("Exif\x00\x00")); ok && segment[1] == 0xe1 {
			return tiffOrientation(data)
		}
		at += size
	}
	return upright
}

// tiffOrientation finds the tag in the first directory of a TIFF.
func tiffOrientation(data []byte) int {
	if len(data) < 8 {
		return upright
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return upright
	}
	fields := data[at+2:]
	for n := order.Uint16(data[at:]); n > 0 && len(fields) >= 12; n-- {
		if order.Uint16(fields) == 0x0112 {
			if o := int(order.Uint16(fields[8:])); o >= 1 && o <= 8 {
				return o
			}
			return upright
		}
		fields = fields[12:]
	}
	return upright
}

// turned returns the picture as it is to be looked at.
func turned(src *image.RGBA, orientation int) *image.RGBA {
	if orientation == upright {
		return src
	}
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if orientation >= 5 { // its sides change places
		dst = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range dst.Bounds().Dy() {
		for x := range dst.Bounds().Dx() {
			dst.SetRGBA(x, y, src.RGBAAt(origin(orientation, x, y, w, h)))
		}
	}
	return dst
}

// origin is where in a stored picture of w×h the pixel is that is looked at in x, y.
func origin(orientation, x, y, w, h int) (int, int) {
	switch orientation {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return y, h - 1 - x
	case 7:
		return w - 1 - y, h - 1 - x
	case 8:
		return w - 1 - y, x
	}
	return x, y
}
