package permission

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// maxIndex bounds the index of a repository that is read for its submodules, in bytes: about half a million files.
const maxIndex = 64 << 20

var errIndex = errors.New("the index of this repository cannot be read for its submodules")

// gitLinks are the paths of an index at which other repositories stand, relative to the working tree: git runs in them
// too, with their configuration.
func gitLinks(file string) ([]string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, errIndex
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil || len(data) > maxIndex {
		return nil, errIndex
	}
	for _, hash := range []int{20, 32} { // the name of an object: SHA-1, SHA-256
		if links, ok := linksIn(data, hash); ok {
			return links, nil
		}
	}
	return nil, errIndex
}

// linksIn reads an index whose objects have names of so many bytes. A split index, which leaves names to another file, is
// not read.
func linksIn(data []byte, hash int) (links []string, ok bool) {
	const header, stat = 12, 40 // bytes: of the file, of an entry before the name of its object
	if len(data) < header+hash || string(data[:4]) != "DIRC" {
		return nil, false
	}
	version, count := binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	if version < 2 || version > 4 {
		return nil, false
	}
	rest, name := data[header:len(data)-hash], []byte(nil)
	for range count {
		fixed := stat + hash + 2
		if len(rest) < fixed {
			return nil, false
		}
		mode := binary.BigEndian.Uint32(rest[24:])
		if binary.BigEndian.Uint16(rest[stat+hash:])&0x4000 != 0 {
			fixed += 2 // more flags
		}
		if len(rest) < fixed {
			return nil, false
		}
		from := fixed
		if version == 4 { // how much of the last name to leave, and what comes instead
			cut, n := gitVarint(rest[from:])
			if n == 0 || cut > uint64(len(name)) {
				return nil, false
			}
			from, name = from+n, name[:uint64(len(name))-cut]
		} else {
			name = name[:0]
		}
		end := bytes.IndexByte(rest[from:], 0)
		if end < 0 {
			return nil, false
		}
		name = append(name, rest[from:from+end]...)
		next := from + end + 1
		if version < 4 {
			next = (from + end + 8) &^ 7
		}
		if next > len(rest) || len(name) == 0 {
			return nil, false
		}
		switch mode & 0xf000 {
		case 0x4000, 0x8000, 0xa000: // a sparse folder, a file, a link
		case 0xe000:
			links = append(links, string(name))
		default:
			return nil, false
		}
		rest = rest[next:]
	}
	for len(rest) >= 8 {
		size := uint64(binary.BigEndian.Uint32(rest[4:]))
		if string(rest[:4]) == "link" || size > uint64(len(rest)-8) {
			return nil, false
		}
		rest = rest[8+size:]
	}
	return links, len(rest) == 0
}

// gitVarint reads a number as git packs offsets: seven bits a byte, each but the last counting one more.
func gitVarint(data []byte) (v uint64, n int) {
	for n < len(data) && n < 9 {
		b := data[n]
		n++
		if n > 1 {
			v++
		}
		v = v<<7 | uint64(b&0x7f)
		if b&0x80 == 0 {
			return v, n
		}
	}
	return 0, 0
}
