package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// conceal closes the memory of this process to other programs of the same user, forbids a core dump of it, and overwrites
// the values of secret variables in the environment that the system shows in /proc, where root can read them: unsetting
// them changes nothing there. The program's own copy stays as it is. What it starts is not concealed: that ends with exec.
func conceal(environ []string) error {
	blanked := blank(secretVariables(environ)) // first: behind the call our own /proc belongs to root
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return errors.Join(blanked, fmt.Errorf("closing our memory to others: %w", err))
	}
	return blanked
}

// blank overwrites the values with asterisks. Without a /proc nobody can read them there.
func blank(secrets []variable) error {
	if len(secrets) == 0 {
		return nil
	}
	shown, err := os.ReadFile("/proc/self/environ")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hiding the key from /proc: %w", err)
	}
	begin, err := environBegin()
	if err != nil {
		return fmt.Errorf("hiding the key from /proc: %w", err)
	}
	memory, err := os.OpenFile("/proc/self/mem", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("hiding the key from /proc: %w", err)
	}
	at := begin
	for kv := range bytes.SplitAfterSeq(shown, []byte{0}) {
		name, value, _ := strings.Cut(strings.TrimSuffix(string(kv), "\x00"), "=")
		for _, s := range secrets {
			if s.name == name && err == nil {
				_, err = memory.WriteAt(bytes.Repeat([]byte{'*'}, len(value)), at+int64(len(name)+1))
			}
		}
		at += int64(len(kv))
	}
	if err := errors.Join(err, memory.Close()); err != nil {
		return fmt.Errorf("hiding the key from /proc: %w", err)
	}
	return nil
}

// environBegin is where the environment begins in our memory: field 50 of /proc/self/stat. The second, the program's name
// in parentheses, may hold spaces.
func environBegin() (int64, error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const first, wanted = 3, 50
	if len(fields) <= wanted-first {
		return 0, errors.New("/proc/self/stat is too short")
	}
	begin, err := strconv.ParseInt(string(fields[wanted-first]), 10, 64)
	if err == nil && begin == 0 {
		err = errors.New("/proc/self/stat does not say where the environment is")
	}
	return begin, err
}
