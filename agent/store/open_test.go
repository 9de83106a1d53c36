package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// filled returns a dir with a closed store that holds one session of 200 messages.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir)
	write(t, s, Fast, openTurn("a"))
	write(t, s, Fast, func(tx *Tx) error {
		for i := range 200 {
			if err := tx.PutMessage("a", i, reply(fmt.Sprint("m", i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// hinted is what errors for users have.
type hinted interface {
	error
	Hint() string
}

func TestDamageIsFound(t *testing.T) {
	noise := make([]byte, 10_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for name, damage := range map[string]func(path string) error{
		"garbage": func(path string) error { return os.WriteFile(path, noise, 0o600) },
		"text":    func(path string) error { return os.WriteFile(path, []byte("hello\n"), 0o600) },
		"cut by a page": func(path string) error {
			info, err := os.Stat(path)
			return errors.Join(err, os.Truncate(path, info.Size()-4096))
		},
		"cut inside page one":  func(path string) error { return os.Truncate(path, 1000) },
		"cut inside a page":    func(path string) error { return os.Truncate(path, 10*4096+17) },
		"another program's":    otherDatabase,
		"gone, its log is not": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path+"-wal", noise, 0o600)) },
		"emptied, its log is not": func(path string) error {
			return errors.Join(os.Truncate(path, 0), os.WriteFile(path+"-wal", noise, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			if err := damage(Path(dir)); err != nil {
				t.Fatal(err)
			}
			before := files(t, dir)
			_, err := Open(t.Context(), dir)
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.Path != Path(dir) || hinted(corrupt).Hint() == "" {
				t.Fatalf("Open = %v, want a *CorruptError", err)
			}
			want(t, "files after Open", files(t, dir), before)

			now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
			moved, err := MoveAside(dir, now)
			if err != nil || moved != Path(dir)+".corrupt-20260304-050607" {
				t.Fatalf("MoveAside = %s, %v", moved, err)
			}
			s := open(t, dir)
			if list, err := s.Sessions(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("the new store has sessions %v, %v", list, err)
			}
			for old, data := range before {
				aside := "coder.db.corrupt-20260304-050607" + old[len("coder.db"):]
				if got := files(t, dir)[aside]; got != data {
					t.Errorf("%s is not what %s was", aside, old)
				}
			}
		})
	}
}

// files returns the content of the files of a dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(data)
	}
	return all
}

func otherDatabase(path string) error {
	if err := os.Truncate(path, 0); err != nil {
		return err
	}
	return change(path, "CREATE TABLE notes (text)")
}

// change runs SQL on a closed store.
func change(path, query string) error {
	db, err := openDB(path)
	if err != nil {
		return err
	}
	_, err = db.Exec(query)
	return errors.Join(err, db.Close())
}

func TestMoveAsideOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	seen := map[string]bool{}
	for i := range 3 {
		if err := os.WriteFile(Path(dir), []byte(fmt.Sprint("broken", i)), 0o600); err != nil {
			t.Fatal(err)
		}
		moved, err := MoveAside(dir, now)
		if err != nil || seen[moved] {
			t.Fatalf("MoveAside = %s, %v", moved, err)
		}
		seen[moved] = true
		if data, err := os.ReadFile(moved); err != nil || string(data) != fmt.Sprint("broken", i) {
			t.Errorf("%s holds %q, %v", moved, data, err)
		}
	}
}

func TestDamageBehindTheHeaderIsFoundByTheRead(t *testing.T) {
	dir := filled(t)
	data, err := os.ReadFile(Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	for page := 40; page < len(data)/4096; page++ {
		copy(data[page*4096:], bytes.Repeat([]byte{0xa5}, 4096))
	}
	if err := os.WriteFile(Path(dir), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	var corrupt *CorruptError
	if _, err := s.Messages(t.Context(), "a"); !errors.As(err, &corrupt) {
		t.Errorf("Messages = %v, want a *CorruptError", err)
	}
	err = s.Write(t.Context(), Safe, func(tx *Tx) error { return tx.ClearMessages("a") })
	if !errors.As(err, &corrupt) {
		t.Errorf("Write = %v, want a *CorruptError", err)
	}
}

func TestEmptyFileIsANewStore(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(Path(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	write(t, s, Safe, openTurn("a"))
}

func TestNewerAndOlderFiles(t *testing.T) {
	dir := filled(t)
	if err := change(Path(dir), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir)
	_, errRead := OpenReadOnly(t.Context(), dir)
	for _, err := range []error{err, errRead} {
		var newer *NewerError
		if !errors.As(err, &newer) || newer.Have != 99 || newer.Know != len(migrations()) || hinted(newer).Hint() == "" {
			t.Errorf("opening a newer store: %v, want a *NewerError", err)
		}
	}
}

func TestOlderFilesCannotBeReadOnly(t *testing.T) {
	dir := filled(t)
	s, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var older *OlderError
	if err := s.checkReadable(t.Context(), len(migrations())+1); !errors.As(err, &older) || hinted(older).Hint() == "" {
		t.Errorf("reading an older store: %v, want an *OlderError", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMigrationIsWholeOrNot(t *testing.T) {
	dir := filled(t)
	db, err := openDB(Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	add := "ALTER TABLE sessions ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'"
	scripts := append(migrations(), add, "ALTER TABLE sessions ADD COLUMN size INTEGER; DROP TABLE nowhere")
	if err := migrate(t.Context(), conn, Path(dir), scripts); err == nil {
		t.Fatal("a broken script was no error")
	}
	if have, err := schemaVersion(t.Context(), conn, Path(dir)); have != len(migrations()) || err != nil {
		t.Errorf("after a failed migration the schema is %d, %v; want %d", have, err, len(migrations()))
	}
	if err := migrate(t.Context(), conn, Path(dir), scripts[:len(scripts)-1]); err != nil {
		t.Fatal(err)
	}
	var colour string
	if err := conn.QueryRowContext(t.Context(), "SELECT colour FROM sessions").Scan(&colour); err != nil || colour != "red" {
		t.Errorf("colour = %q, %v", colour, err)
	}
	if have, err := schemaVersion(t.Context(), conn, Path(dir)); have != len(scripts)-1 || err != nil {
		t.Errorf("the schema is %d, %v; want %d", have, err, len(scripts)-1)
	}
}

// TestAFileOfTheFirstVersionMigrates: what the first release has written is read, and goes on as if it had been written
// today.
func TestAFileOfTheFirstVersionMigrates(t *testing.T) {
	dir := t.TempDir()
	if err := createFile(Path(dir)); err != nil {
		t.Fatal(err)
	}
	db, err := openDB(Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = migrate(t.Context(), conn, Path(dir), migrations()[:1])
	for _, row := range []string{
		`INSERT INTO sessions VALUES ('a', 'A', '/w', 'm/x', 'auto', 'first', 'idle', 7, '{"input":3}', 1, 1000, 2000)`,
		`INSERT INTO messages VALUES ('a', 0, 'u1', '{"id":"u1","role":"user","parts":[{"type":"text","text":"hi"}]}', NULL)`,
		`INSERT INTO turns VALUES (1, 'a', 'q1', 'open', 0, 'c', '["u1"]', NULL, '', '', 0)`,
	} {
		if err == nil {
			_, err = conn.ExecContext(t.Context(), row)
		}
	}
	if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}

	s := open(t, dir)
	session, ok, err := s.Session(t.Context(), "a")
	if err != nil || !ok || session.Name != "A" || session.Title != "first" || session.Titled || session.MaxSteps != 7 || session.Usage.Input != 3 {
		t.Errorf("Session = %+v, %v, %v", session, ok, err)
	}
	if m, err := s.Messages(t.Context(), "a"); err != nil || len(m) != 1 || m[0].Text() != "hi" {
		t.Errorf("Messages = %+v, %v", m, err)
	}
	if turns, err := s.Turns(t.Context(), "a"); err != nil || len(turns) != 1 || turns[0].ID != "q1" {
		t.Errorf("Turns = %+v, %v", turns, err)
	}
	if text, ok, err := s.System(t.Context(), "a"); err != nil || ok {
		t.Errorf("System = %q, %v, %v; want none yet", text, ok, err)
	}
	session.Titled = true
	write(t, s, Safe, func(tx *Tx) error {
		return errors.Join(tx.PutSession(session), tx.PutSystem("a", System{Text: "be brief", Project: "{}"}))
	})
	if again, _, err := s.Session(t.Context(), "a"); err != nil || !again.Titled {
		t.Errorf("after writing it Session = %+v, %v", again, err)
	}
}

func TestTheSystemPromptGoesWithItsSession(t *testing.T) {
	s := open(t, t.TempDir())
	system := func(want string, wantOK bool) {
		t.Helper()
		if text, ok, err := s.System(t.Context(), "a"); err != nil || ok != wantOK || text.Text != want {
			t.Errorf("System = %q, %v, %v; want %q, %v", text, ok, err, want, wantOK)
		}
	}
	write(t, s, Fast, openTurn("a"))
	for _, text := range []string{"one", "", "two"} {
		write(t, s, Fast, func(tx *Tx) error { return tx.PutSystem("a", System{Text: text}) })
		system(text, true)
	}
	write(t, s, Fast, func(tx *Tx) error { return tx.DropSystem("a") })
	system("", false)
	write(t, s, Fast, func(tx *Tx) error { return tx.PutSystem("a", System{Text: "three"}) })
	write(t, s, Fast, func(tx *Tx) error { return tx.DeleteSession("a") })
	system("", false)
}

func TestFilesAreForTheUserAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there the profile folder's access list does it
	}
	dir := filled(t)
	if err := os.Chmod(Path(dir), 0o664); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{dir, t.TempDir()} {
		s := open(t, dir)
		write(t, s, Fast, openTurn("b"))
		for _, suffix := range []string{"", "-wal", "-shm"} {
			info, err := os.Stat(Path(dir) + suffix)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v; want mode 0600", Path(dir)+suffix, info.Mode(), err)
			}
		}
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open without the dir: %v", err)
	}
	if err := os.Mkdir(Path(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir); err == nil {
		t.Error("Open of a folder: no error")
	}
}

func TestOpenReadOnly(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReadOnly(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a store: %v, want fs.ErrNotExist", err)
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("reading has made files: %v", got)
	}
	if err := os.WriteFile(Path(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReadOnly(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with an empty file: %v, want fs.ErrNotExist", err)
	}

	host := open(t, dir)
	write(t, host, Fast, openTurn("a"))
	reader, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := reader.Session(t.Context(), "a"); !ok || err != nil {
		t.Errorf("reading beside a host: %v, %v", ok, err)
	}
	write(t, host, Fast, openTurn("b")) // a reader holds up nobody, and sees it
	if _, ok, err := reader.Session(t.Context(), "b"); !ok || err != nil {
		t.Errorf("reading what was just written: %v, %v", ok, err)
	}
	if err := reader.Write(t.Context(), Fast, openTurn("c")); !errors.Is(err, ErrReadOnly) {
		t.Errorf("Write = %v, want ErrReadOnly", err)
	}
	if _, err := reader.read.ExecContext(t.Context(), "DELETE FROM sessions"); err == nil {
		t.Error("a read connection has written")
	}
	if err := errors.Join(host.Close(), reader.Close()); err != nil {
		t.Fatal(err)
	}

	alone, err := OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := alone.Sessions(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("reading alone: %v, %v", list, err)
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("reading has left files: %v", len(got))
	}
}

// TestReadOnlyAfterACrash: what was committed but is only in the log must be seen without a host.
func TestReadOnlyAfterACrash(t *testing.T) {
	dir := t.TempDir()
	host := open(t, dir)
	write(t, host, Fast, openTurn("a"))
	crashed := t.TempDir()
	for name, data := range files(t, dir) { // as a kill leaves them
		if err := os.WriteFile(filepath.Join(crashed, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := OpenReadOnly(t.Context(), crashed)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Session(t.Context(), "a"); !ok || err != nil {
		t.Errorf("Session = %v, %v", ok, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
