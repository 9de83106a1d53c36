package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/coder-agent/coder/agent/permission"
)

// A hostFile is run/host.json under the data dir: how to find and enter the host that runs there. Editor plugins read
// it too.
type hostFile struct {
	Addr     string    `json:"addr"` // host:port
	Token    string    `json:"token"`
	PID      int       `json:"pid"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Salt     string    `json:"salt"`
	KeyHash  string    `json:"keyHash"` // of the key and the base URL, salted: see keyHash
	BaseURL  string    `json:"baseURL"`
	Model    string    `json:"model"`
	Mode     string    `json:"mode"`
	Detached bool      `json:"detached"`       // started by a command, which may replace it
	Hold     bool      `json:"hold,omitempty"` // it leaves schedules to the next host

	RulesHash string `json:"rulesHash"` // of the rules in the config file when it started
}

func runDir(dataDir string) string       { return filepath.Join(dataDir, "run") }
func hostFilePath(dataDir string) string { return filepath.Join(runDir(dataDir), "host.json") }

// keyHash tells clients whether a host uses their key and base URL, and nothing more.
func keyHash(salt, key, baseURL string) string {
	sum := sha256.Sum256([]byte(salt + "\x00" + key + "\x00" + baseURL))
	return hex.EncodeToString(sum[:])
}

// rulesHash tells whether two sets of rules are the same.
func rulesHash(rules []permission.Rule) string {
	h := sha256.New()
	for _, r := range rules {
		fmt.Fprintln(h, r)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sign fills in the salted hash.
func (h *hostFile) sign(key string) {
	h.Salt = rand.Text()
	h.KeyHash = keyHash(h.Salt, key, h.BaseURL)
}

// readHostFile reads the host file. It is false when no host has written one, or when it is damaged: the next host
// replaces it.
func readHostFile(dataDir string) (hostFile, bool, error) {
	data, err := readPrivate(hostFilePath(dataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return hostFile{}, false, nil
	}
	if err != nil {
		return hostFile{}, false, unusable(fmt.Errorf("reading the host file: %w", err))
	}
	var h hostFile
	err = json.Unmarshal(data, &h)
	return h, err == nil, nil
}

// unusable adds to an error of the file system in the data dir what to do.
func unusable(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok && hintOf(err) == "" {
		return &hintedError{err, "choose a folder of yours with --data-dir or CODER_DATA_DIR; coder config shows what names this one"}
	}
	return err
}

// write puts the file in place, whole: a reader sees the old one or this one. Only its owner can read it.
func (h hostFile) write(dataDir string) error {
	if err := ownRunDir(dataDir); err != nil {
		return err
	}
	data, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(runDir(dataDir), ".host-*") // mode 0600, O_EXCL
	if err != nil {
		return fmt.Errorf("writing the host file: %w", err)
	}
	_, err = temp.Write(append(data, '\n'))
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), hostFilePath(dataDir))
	}
	if err != nil {
		return fmt.Errorf("writing the host file: %w", errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}

// remove takes the file away if it is still this host's.
func (h hostFile) remove(dataDir string) error {
	have, ok, err := readHostFile(dataDir)
	if err != nil || !ok || have.Token != h.Token {
		return err
	}
	return os.Remove(hostFilePath(dataDir))
}

// ownRunDir makes the folder of the host file and checks that it is ours alone.
func ownRunDir(dataDir string) error {
	dir := runDir(dataDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("checking %s: %w", dir, err)
	}
	if !info.IsDir() || !ownedByUs(info) {
		return fmt.Errorf("%s is not a folder of yours; the token would not be safe there", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("closing %s to others: %w", dir, err)
	}
	return nil
}
