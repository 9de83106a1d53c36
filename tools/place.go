package tools

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coder-agent/coder/agent/chat"
)

// maxFile is the size of a file up to which it is taken into memory, in bytes.
const maxFile = 20 << 20

// A place is a file or folder that a tool works on. It is reached through a folder that it cannot leave, so that a
// link put in its way after the path was judged leads nowhere.
type place struct {
	root  *os.Root
	name  string // in root
	abs   string
	shown string // for the model: relative to the workdir if inside, with forward slashes
}

// locate opens the way to a path as the model gave it. The place must be closed.
func locate(ctx context.Context, s session, given string) (*place, error) {
	workdir, err := s.Workdir(ctx)
	if err != nil {
		return nil, err
	}
	abs, err := s.Path(ctx, given)
	if err != nil {
		return nil, err
	}
	dir := workdir
	if !within(workdir, abs) {
		dir = nearestDir(filepath.Dir(abs))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder %s: %w", dir, err)
	}
	name, err := filepath.Rel(dir, abs)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("finding %s in %s: %w", abs, dir, err)
	}
	return &place{root: root, name: name, abs: abs, shown: show(workdir, abs)}, nil
}

func (p *place) close() { p.root.Close() }

// show gives a path as the model gets to see it.
func show(workdir, abs string) string {
	if !within(workdir, abs) {
		return filepath.ToSlash(abs)
	}
	rel, err := filepath.Rel(workdir, abs)
	if err != nil {
		return filepath.ToSlash(abs)
	}
	return filepath.ToSlash(rel)
}

func within(dir, abs string) bool {
	rel, err := filepath.Rel(dir, abs)
	return err == nil && filepath.IsLocal(rel)
}

// nearestDir returns dir or the first folder above it that exists.
func nearestDir(dir string) string {
	for {
		info, err := os.Stat(dir)
		up := filepath.Dir(dir)
		if err == nil && info.IsDir() || up == dir {
			return dir
		}
		dir = up
	}
}

// A content is a file as it is on disk.
type content struct {
	data []byte
	info fs.FileInfo
	hash string // hex SHA-256
}

// open opens the place for reading and says what it is. Only regular files and folders can be opened: a pipe or a
// device may block for ever or have effects.
func (p *place) open() (*os.File, fs.FileInfo, error) {
	f, err := p.root.OpenFile(p.name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, p.unopened(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, p.explain("looking at", err)
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		f.Close()
		return nil, nil, fmt.Errorf("%s is %s, not a file that can be read or written", p.shown, kindOfMode(info.Mode()))
	}
	return f, info, nil
}

// unopened says why the place cannot be opened. A socket gives an error of its own.
func (p *place) unopened(err error) error {
	if info, errStat := p.root.Stat(p.name); errStat == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return fmt.Errorf("%s is %s, not a file that can be read or written", p.shown, kindOfMode(info.Mode()))
	}
	return p.explain("opening", err)
}

// load reads the whole file. One that is larger than maxFile is a sizeError.
func (p *place) load() (content, error) {
	f, info, err := p.open()
	if err != nil {
		return content{}, err
	}
	defer f.Close()
	if info.IsDir() {
		return content{}, fmt.Errorf("%s is a folder, not a file; give the path of a file in it", p.shown)
	}
	if info.Size() > maxFile {
		return content{}, &sizeError{shown: p.shown, size: info.Size()}
	}
	data := make([]byte, 0, info.Size()+512)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return content{}, p.explain("reading", err)
		}
		if len(data) > maxFile {
			return content{}, &sizeError{shown: p.shown, size: int64(len(data))}
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
	return content{data: data, info: info, hash: hashOf(data)}, nil
}

type sizeError struct {
	shown string
	size  int64
}

func (e *sizeError) Error() string {
	return fmt.Sprintf("%s has %s, more than the %s that are taken at once", e.shown, byteCount(e.size), byteCount(maxFile))
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (p *place) seen(hash string) []chat.FileSeen {
	return []chat.FileSeen{{Path: p.abs, Hash: hash}}
}

// explain gives an error of the file system in words without our own paths.
func (p *place) explain(deed string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s %s: permission denied", deed, p.shown)
	case errors.Is(err, fs.ErrNotExist):
		return err // the tools say more of it, see missing
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	if err.Error() == "path escapes from parent" { // the library has no name for it
		return fmt.Errorf("%s %s: a link on the way leads out of its folder, or is an absolute one; name the file that it leads to", deed, p.shown)
	}
	return fmt.Errorf("%s %s: %w", deed, p.shown, err)
}

func kindOfMode(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// A version says what a file was when a tool looked at it, so that save can refuse to overwrite another one.
type version struct {
	info fs.FileInfo // nil: there was no file
	like fs.FileInfo // whose mode and owner a file gets that was not there; nil: those of any new file
}

// pattern is the file whose mode and owner the new content gets, or nil.
func (v version) pattern() fs.FileInfo {
	if v.info != nil {
		return v.info
	}
	return v.like
}

// save replaces the file's content as a whole or not at all, durably: written beside it, synced, renamed over it. Other
// names of the same file (hard links) keep the old content.
func (p *place) save(data []byte, was version) error {
	if err := p.enter(false); err != nil {
		return err
	}
	tmp := ".coder-" + rand.Text()[:12] + ".tmp"
	mode := fs.FileMode(0o666) // of a new file, less what the umask takes
	if was.pattern() != nil {
		mode = 0o600 // until it has the old one's
	}
	f, err := p.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return p.explain("writing beside", err)
	}
	err = fill(f, data, was)
	if err == nil {
		err = p.unchanged(was)
	}
	if err == nil {
		err = p.root.Rename(tmp, p.name)
	}
	if err != nil {
		_ = p.root.Remove(tmp)
		return p.explain("writing", err)
	}
	return p.syncDir(".")
}

// enter opens the folders on the way to the file one by one, and works in the last from then on. The path was judged with its links
// resolved: one that is there now has been put there since, by a command that goes on, and could lead to git's hooks. With make,
// folders that are missing are made.
func (p *place) enter(make bool) error {
	dir, name := filepath.Split(p.name)
	for part := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(dir)), "/") {
		if part == "." {
			continue
		}
		next, err := enter(p.root, part, make)
		if err != nil {
			return p.explain("opening the folder of", err)
		}
		p.root.Close()
		p.root = next
	}
	p.name = name
	return nil
}

// enter opens a folder that is no link.
func enter(in *os.Root, name string, make bool) (*os.Root, error) {
	info, err := in.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) && make {
		if err := in.Mkdir(name, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		info, err = in.Lstat(name)
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		err = errLinked
	}
	if err != nil {
		return nil, err
	}
	next, err := in.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if is, err := next.Stat("."); err != nil || !os.SameFile(info, is) {
		return nil, errors.Join(err, errLinked, next.Close())
	}
	return next, nil
}

var errLinked = errors.New("a link has come into its way at this moment; look at the folder again")

func fill(f *os.File, data []byte, was version) error {
	_, err := f.Write(data)
	if like := was.pattern(); err == nil && like != nil {
		err = f.Chmod(like.Mode().Perm())
		keepOwner(f, like)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// unchanged fails when the file is no longer the one that was looked at.
func (p *place) unchanged(was version) error {
	now, err := p.root.Lstat(p.name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && was.info == nil:
		return nil
	case err != nil:
		return err
	case was.info == nil:
		return errors.New("another program made the file at this moment; read it first")
	case !os.SameFile(now, was.info) || now.Size() != was.info.Size() || !now.ModTime().Equal(was.info.ModTime()):
		return errors.New("another program changed the file at this moment; read it again")
	}
	return nil
}

// writable refuses a file that its owner has protected: a rename would not notice.
func (p *place) writable(info fs.FileInfo) error {
	if info.Mode().Perm()&0o222 == 0 {
		return fmt.Errorf("%s is read-only (mode %04o); if it is meant to be changed, change its mode with bash first", p.shown, info.Mode().Perm())
	}
	return nil
}

// byteCount says a size for people.
func byteCount(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KB", n>>10)
	case n == 1:
		return "1 byte"
	}
	return fmt.Sprintf("%s bytes", thousands(n))
}

// thousands writes a count with commas.
func thousands[N int | int64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// many writes a count with its noun.
func many[N int | int64](n N, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "entry"):
		return thousands(n) + " entries"
	case strings.HasSuffix(noun, "ch") || strings.HasSuffix(noun, "s"):
		return thousands(n) + " " + noun + "es"
	}
	return thousands(n) + " " + noun + "s"
}
