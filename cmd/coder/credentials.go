package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A credential is a key that coder login has kept for one provider, named by its base URL: to no other it is sent.
type credential struct {
	BaseURL string `json:"baseURL"`
	Key     string `json:"key,omitempty"` // "" when the keyring has it
}

// credentials is the file of what is kept. It says also what the keyring holds, so that nobody who has never logged in
// waits for a keyring.
type credentials struct {
	Keys []credential `json:"keys"`
}

func credentialsFile() string { return filepath.Join(filepath.Dir(configFile()), "credentials.json") }

func (c credentials) find(baseURL string) (credential, bool) {
	i := slices.IndexFunc(c.Keys, func(k credential) bool { return k.BaseURL == baseURL })
	if i < 0 {
		return credential{}, false
	}
	return c.Keys[i], true
}

// with is c with another credential for the base URL, or without any.
func (c credentials) with(baseURL string, more ...credential) credentials {
	kept := slices.DeleteFunc(slices.Clone(c.Keys), func(k credential) bool { return k.BaseURL == baseURL })
	return credentials{append(kept, more...)}
}

// readCredentials reads the file, if its owner alone can. No file is an empty one.
func readCredentials() (credentials, error) {
	path := credentialsFile()
	f, err := os.OpenFile(path, os.O_RDONLY|openNonblock, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return credentials{}, nil
	}
	if err != nil {
		return credentials{}, fmt.Errorf("reading the kept keys: %w", err)
	}
	defer f.Close()
	if err := closedToOthers(f, path); err != nil {
		return credentials{}, err
	}
	var c credentials
	if err := json.NewDecoder(f).Decode(&c); err != nil {
		return credentials{}, &hintedError{fmt.Errorf("reading the kept keys in %s: %w", path, err), "remove the file, then: coder login"}
	}
	return c, nil
}

// closedToOthers refuses a file, or a folder around it, that others may have read or can replace.
func closedToOthers(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("checking the kept keys: %w", err)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("checking the kept keys: %w", err)
	}
	switch {
	case !info.Mode().IsRegular() || !ownedByUs(info) || !ownedByUs(dir):
		return &hintedError{fmt.Errorf("%s, or its folder, is not a file of yours: a key in it would not be safe", path), "remove it, then: coder login"}
	case hasModes && info.Mode().Perm()&0o077 != 0:
		return &hintedError{
			fmt.Errorf("%s can be read by others (mode %#o)", path, info.Mode().Perm()),
			"chmod 600 " + path + "; if others use this machine, make the key worthless too (coder logout says where) and log in anew",
		}
	case hasModes && dir.Mode().Perm()&0o022 != 0:
		return &hintedError{fmt.Errorf("%s can be changed by others (mode %#o)", filepath.Dir(path), dir.Mode().Perm()), "chmod 700 " + filepath.Dir(path)}
	}
	return nil
}

// write puts the file in place, whole, for its owner alone; with nothing in it there is none.
func (c credentials) write() error {
	path := credentialsFile()
	if len(c.Keys) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the kept keys: %w", err)
		}
		return nil
	}
	dir := filepath.Dir(path)
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o700)); err != nil { //nolint:gosec // a folder
		return fmt.Errorf("keeping the key: %w", err)
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".credentials-*") // mode 0600, O_EXCL
	if err != nil {
		return fmt.Errorf("keeping the key: %w", err)
	}
	_, err = temp.Write(append(data, '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keeping the key: %w", errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}

// keep keeps the key for the provider: in the keyring if one works and file is false, else in the file. It says where.
func (a *app) keep(ctx context.Context, baseURL, key string, file bool) (where string, err error) {
	c, err := readCredentials()
	if err != nil {
		return "", err
	}
	kept := credential{BaseURL: baseURL}
	where = keyringName
	if file || a.keyring == nil {
		kept.Key, where = key, credentialsFile()
	} else if err := a.keepInRing(ctx, baseURL, key); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		fmt.Fprintf(a.stderr, "note: %s; the key goes to a file that only you can read\n", a.secrets.Redact(err.Error()))
		kept.Key, where = key, credentialsFile()
	}
	return where, c.with(baseURL, kept).write()
}

// keepInRing keeps the key and looks whether it comes back.
func (a *app) keepInRing(ctx context.Context, baseURL, key string) error {
	got, err := bounded(ctx, keyringPatience, func() (string, error) {
		if err := a.keyring.Set(baseURL, key); err != nil {
			return "", err
		}
		return a.keyring.Get(baseURL)
	})
	switch {
	case err != nil:
		return fmt.Errorf("the keyring does not keep the key: %w", err)
	case got != key:
		return errors.New("the keyring gives another key back")
	}
	return nil
}

// forget removes the key that is kept for the provider, wherever it is. found is false when none was; key is "" when
// the keyring has it and does not tell.
func (a *app) forget(ctx context.Context, baseURL string) (key string, found bool, err error) {
	c, err := readCredentials()
	if err != nil {
		return "", false, err
	}
	kept, found := c.find(baseURL)
	if !found {
		return "", false, nil
	}
	if key = kept.Key; key == "" && a.keyring != nil {
		key, err = bounded(ctx, keyringPatience, func() (string, error) {
			key, _ := a.keyring.Get(baseURL) // only to name its page
			return key, a.keyring.Delete(baseURL)
		})
		if err != nil && !errors.Is(err, errNoEntry) {
			return "", true, fmt.Errorf("removing the key from the keyring: %w", err)
		}
	}
	return key, true, c.with(baseURL).write()
}

// findKey makes the key that is kept for the provider that of the config, unless the environment gave one.
func (a *app) findKey(ctx context.Context, c *config) error {
	if c.Key != "" || c.Kept != "" {
		return nil
	}
	all, err := readCredentials()
	if err != nil {
		return err
	}
	kept, ok := all.find(c.BaseURL)
	if !ok {
		return nil
	}
	if c.Kept = kept.Key; c.Kept == "" {
		if c.Kept, err = a.fromRing(ctx, c.BaseURL); err != nil {
			return err
		}
	}
	a.secrets.AddKey(keyVar, c.Kept)
	return nil
}

// fromRing asks the keyring, which may want to be unlocked first.
func (a *app) fromRing(ctx context.Context, baseURL string) (key string, err error) {
	if a.keyring == nil {
		err = errors.New("there is none here")
	} else {
		key, err = bounded(ctx, keyringWait, func() (string, error) { return a.keyring.Get(baseURL) })
	}
	if err == nil {
		return key, nil
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return "", &hintedError{
		fmt.Errorf("the key for %s is in the %s: %w", baseURL, keyringName, err),
		"unlock it, or: coder login --file; " + keyVar + " wins over both",
	}
}

// bounded waits for an answer that may never come. Its goroutine is then left behind: it ends with the answer or the
// process.
func bounded[T any](ctx context.Context, most time.Duration, ask func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := ask()
		answered <- answer{value, err}
	}()
	late := time.NewTimer(most)
	defer late.Stop()
	var none T
	select {
	case got := <-answered:
		return got.value, got.err
	case <-late.C:
		return none, fmt.Errorf("it does not answer within %v", most)
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}
