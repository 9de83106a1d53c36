// Package gitindex reads of the index of a git repository what other repositories it names: git runs in those too, with
// their configuration.
package gitindex

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxIndex bounds an index that is read, in bytes: about half a million files.
const maxIndex = 64 << 20

// ErrUnreadable says that an index is none, or too large.
var ErrUnreadable = errors.New("the index of this repository cannot be read for its submodules")

// Links are the paths at which other repositories stand in the working tree of a git folder, relative to it, with forward
// slashes. Without an index there are none.
func Links(gitDir string) (links []string, err error) {
	files := []string{filepath.Join(gitDir, "index")}
	entries, err := os.ReadDir(gitDir)
	if err != nil {
		return nil, nil // git has nothing to read either
	}
	for _, e := range entries {
		if ok, _ := filepath.Match("sharedindex.*", e.Name()); ok { // the larger part of a split one
			files = append(files, filepath.Join(gitDir, e.Name()))
		}
	}
	for _, file := range files {
		data, err := read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		more, ok := linksIn(data, 20) // bytes of the name of an object: SHA-1
		if !ok {
			more, ok = linksIn(data, 32) // SHA-256
		}
		if err != nil || !ok {
			return nil, ErrUnreadable
		}
		links = append(links, more...)
	}
	return links, nil
}

func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would block
		return nil, ErrUnreadable
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if len(data) > maxIndex {
		err = ErrUnreadable
	}
	return data, err
}

// linksIn reads an index whose objects have names of so many bytes. In a split one an entry without a name stands for one of
// the shared part.
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
			cut, n := varint(rest[from:])
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
		if next > len(rest) {
			return nil, false
		}
		switch mode & 0xf000 {
		case 0x4000, 0x8000, 0xa000: // a sparse folder, a file, a link
		case 0xe000:
			if len(name) > 0 {
				links = append(links, string(name))
			}
		default:
			return nil, false
		}
		rest = rest[next:]
	}
	for len(rest) >= 8 {
		size := uint64(binary.BigEndian.Uint32(rest[4:]))
		if size > uint64(len(rest)-8) {
			return nil, false
		}
		rest = rest[8+size:]
	}
	return links, len(rest) == 0
}

// varint reads a number as git packs offsets: seven bits a byte, each but the last counting one more.
func varint(data []byte) (v uint64, n int) {
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
