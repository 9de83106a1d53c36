package sandbox

import (
	"bytes"
	"os"
	"strconv"
)

// members finds the living processes of the tree: those of the root's session, those that carry the marker in their
// environment (it survives setsid and a second fork), and the children of either. The root itself counts.
func (t *group) members() []Process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	parent, name, in := map[int]int{}, map[int]string{}, map[int]bool{}
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		s, ok := readStat(n)
		if !ok || s.state == 'Z' || s.state == 'X' {
			continue // dead: somebody has yet to wait for it
		}
		parent[pid], name[pid] = s.parent, s.name
		in[pid] = s.session == t.root || s.group == t.root || t.marked(n)
	}
	for grown := true; grown; {
		grown = false
		for pid, up := range parent {
			if !in[pid] && in[up] {
				in[pid], grown = true, true
			}
		}
	}
	var found []Process
	for pid, ours := range in {
		if ours && pid != os.Getpid() {
			found = append(found, Process{PID: pid, Name: name[pid]})
		}
	}
	return found
}

func (t *group) alive() bool { return len(t.members()) > 0 }

func (t *group) marked(pid string) bool {
	env, err := os.ReadFile("/proc/" + pid + "/environ") // unreadable for other users' processes: not ours
	return err == nil && bytes.Contains(env, []byte(t.marker))
}

type stat struct {
	name                   string
	state                  byte
	parent, group, session int
}

// readStat reads /proc/PID/stat: pid (name) state ppid pgrp session …; the name may hold spaces and parentheses.
func readStat(pid string) (stat, bool) {
	line, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return stat{}, false // it has ended
	}
	open, shut := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || shut < open {
		return stat{}, false
	}
	f := bytes.Fields(line[shut+1:])
	if len(f) < 4 {
		return stat{}, false
	}
	s := stat{name: string(line[open+1 : shut]), state: f[0][0]}
	for i, to := range []*int{&s.parent, &s.group, &s.session} {
		if *to, err = strconv.Atoi(string(f[i+1])); err != nil {
			return stat{}, false
		}
	}
	return s, true
}
