package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A head says where the chain ends and where it begins. It is written in place, behind each line that it counts: a line
// that it does not count yet may have been cut off by the end of the process, one that it counts has been whole.
type head struct {
	File   int    `json:"file"`   // number of the file that holds the last line
	Size   int64  `json:"size"`   // of that file up to the end of the line, in bytes
	N      uint64 `json:"n"`      // of the last line; 0: there is none yet
	Hash   string `json:"hash"`   // of the last line
	Synced uint64 `json:"synced"` // up to here the disk has the lines

	FirstFile int    `json:"firstFile"` // the oldest that is kept
	FirstN    uint64 `json:"firstN"`    // of its first line
	FirstPrev string `json:"firstPrev"` // that this line names

	Sum string `json:"sum"` // of all the above
}

// headSize is fixed, and within one sector: the disk has an old head or a new one.
const headSize = 512

func headPath(dir string) string { return filepath.Join(dir, "head") }

func (h head) encode() ([]byte, error) {
	h.Sum = ""
	data, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	h.Sum = hashOf(data)[:16]
	if data, err = json.Marshal(h); err != nil {
		return nil, err
	}
	if len(data) >= headSize {
		return nil, fmt.Errorf("audit: a head of %d bytes", len(data))
	}
	data = append(data, bytes.Repeat([]byte(" "), headSize-1-len(data))...)
	return append(data, '\n'), nil
}

// errHead says that the head is not as it was written.
var errHead = errors.New("the head is damaged")

// readHead reads the head. Without one the error is fs.ErrNotExist, and errHead when a byte of it has changed.
func readHead(dir string) (h head, err error) {
	data, err := os.ReadFile(headPath(dir))
	if err != nil {
		return head{}, err
	}
	if json.Unmarshal(data, &h) != nil {
		return head{}, errHead
	}
	if again, err := h.encode(); err != nil || !bytes.Equal(data, again) {
		return head{}, errHead
	}
	return h, nil
}

// write puts the head in place. A new one comes whole; over an old one it needs no room on the disk.
func (h head) write(dir string) error {
	data, err := h.encode()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(headPath(dir), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return createHead(dir, data)
	}
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil && info.Size() > headSize {
		return errors.Join(createHead(dir, data), f.Close())
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Close())
}

func createHead(dir string, data []byte) error {
	temp, err := os.CreateTemp(dir, ".head-*") // mode 0600, O_EXCL
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), headPath(dir))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
