package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tables of docs/architecture.md are the law about what may import what; this file keeps it. The page is read, not
// repeated, so that the two cannot drift apart.

const (
	module   = "github.com/coder-agent/coder"
	repo     = "../.." // the root, seen from this package
	longFile = 500     // lines; a longer file is logged, for a reviewer to judge
)

// A law is what docs/architecture.md allows. Packages are named by their folder.
type law struct {
	imports    map[string][]string // package to the packages of ours that it may import
	fakes      map[string]bool     // packages that tests may import as well
	homes      map[string][]string // third-party module to the packages that may import it
	goroutines map[string]bool     // packages that may have go statements
}

// Words that stand in the tables for more than one package.
const (
	everyPackage = "anywhere"
	anyTest      = "tests"
	everything   = "all"
)

// A listed is one package as go list shows it.
type listed struct {
	ImportPath                         string
	Dir                                string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	t.Parallel()
	law := readLaw(t)
	seen, imported := make(map[string]bool), make(map[string]bool)
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, p := range listPackages(t, goos) {
			name := folder(p.ImportPath)
			seen[name] = true
			if _, ok := law.imports[name]; !ok {
				t.Errorf("package %s has no row in the packages table", name)
				continue
			}
			for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				imported[path] = true
			}
			for _, path := range p.Imports {
				if err := law.check(name, path); err != nil {
					t.Error(err)
				}
			}
			for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
				if err := law.checkTest(name, path); err != nil {
					t.Error(err)
				}
			}
		}
	}
	for name := range law.imports {
		if !seen[name] {
			t.Errorf("the packages table has a row for %s, which is not there", name)
		}
	}
	for path := range imported {
		if module, ok := law.module(path); ok {
			seen[module] = true
		}
	}
	for module := range law.homes {
		if !seen[module] {
			t.Errorf("the modules table has a row for %s, which nothing imports", module)
		}
	}
}

func TestTopLevelIsAsAgreed(t *testing.T) {
	t.Parallel()
	agreed := []string{"agent", "cmd", "docs", "server", "tools"}
	for _, name := range topFolders(t) {
		if !strings.HasPrefix(name, ".") && !slices.Contains(agreed, name) {
			t.Errorf("top-level folder %s: only %s are agreed", name, strings.Join(agreed, ", "))
		}
	}
}

// topFolders are those of the repository that git knows, or, where there is no git to ask, all that are there.
func topFolders(t *testing.T) (names []string) {
	t.Helper()
	if out, err := exec.Command("git", "-C", repo, "ls-files", "-z").Output(); err == nil && len(out) > 0 {
		for path := range strings.SplitSeq(string(out), "\x00") {
			if folder, _, ok := strings.Cut(path, "/"); ok && !slices.Contains(names, folder) {
				names = append(names, folder)
			}
		}
		return names
	}
	entries, err := os.ReadDir(repo)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestSourceKeepsTheHouseRules(t *testing.T) {
	t.Parallel()
	law := readLaw(t)
	err := filepath.WalkDir(repo, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != repo && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		return checkSource(t, law, path)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkSource looks for contexts and goroutines that no table allows.
func checkSource(t *testing.T, law law, path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(repo, path)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	if n := bytes.Count(source, []byte("\n")); n > longFile {
		t.Logf("%s has %d lines, more than %d", rel, n, longFile)
	}
	if strings.HasSuffix(path, "_test.go") {
		return nil
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, rel, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	pkg := filepath.ToSlash(filepath.Dir(rel))
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if !law.goroutines[pkg] {
				t.Errorf("%s: a goroutine begins, but the goroutines table has no row for %s", set.Position(n.Pos()), pkg)
			}
		case *ast.CallExpr: // of a WaitGroup or an errgroup
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Go" && !law.goroutines[pkg] {
				t.Errorf("%s: a goroutine begins, but the goroutines table has no row for %s", set.Position(n.Pos()), pkg)
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "context" && filepath.Base(rel) != "main.go" &&
				(n.Sel.Name == "Background" || n.Sel.Name == "TODO") {
				t.Errorf("%s: context.%s outside main.go and tests", set.Position(n.Pos()), n.Sel.Name)
			}
		}
		return true
	})
	return nil
}

// link finds the targets of Markdown links.
var link = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)

func TestLinksBetweenPagesLeadSomewhere(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", ".github/*.md"} {
		found, err := filepath.Glob(filepath.Join(repo, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], ":") {
				continue // elsewhere
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}

func TestLinkedModulesHaveLicencesWeAccept(t *testing.T) {
	t.Parallel()
	dirs := make(map[string]string) // module to the folder of its source
	for _, goos := range []string{"linux", "darwin", "windows"} {
		out := goList(t, goos, "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "./cmd/coder")
		for line := range strings.Lines(string(out)) {
			if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				dirs[path] = dir
			}
		}
	}
	if len(dirs) == 0 {
		t.Fatal("go list names no linked module")
	}
	for _, path := range slices.Sorted(maps.Keys(dirs)) {
		kind, err := licence(dirs[path])
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		t.Logf("%-45s %s", path, kind)
	}
}

// licences are the kinds that we accept, each with words that its text holds whatever the line breaks.
var licences = []struct{ kind, words string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"BSD", "Redistribution and use in source and binary forms, with or without modification, are permitted"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose with or without fee"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"},
}

// licence finds the kind of the licence file in a module's folder.
func licence(dir string) (string, error) {
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		base := strings.ToUpper(strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())))
		if base == "LICENSE" || base == "LICENCE" || base == "COPYING" {
			names = append(names, e.Name())
		}
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		plain := strings.Join(strings.Fields(string(text)), " ")
		for _, l := range licences {
			if strings.Contains(plain, l.words) {
				return l.kind, nil
			}
		}
	}
	return "", fmt.Errorf("no licence that we accept in %q", names)
}

func TestLawIsEnforced(t *testing.T) {
	t.Parallel()
	law := readLaw(t)
	for _, tt := range []struct {
		name, pkg, path string
		test, want      bool
	}{
		{"the standard library is free", "agent/chat", "net/http", false, true},
		{"a room below", "agent", module + "/agent/chat", false, true},
		{"a room above", "agent/chat", module + "/agent", false, false},
		{"the other wing", "tools", module + "/server", false, false},
		{"cmd/coder joins all", "cmd/coder", module + "/tools", false, true},
		{"a module at home", "agent/store", "modernc.org/sqlite", false, true},
		{"a module's package at home", "agent", "github.com/google/jsonschema-go/jsonschema", false, true},
		{"a module away from home", "agent", "modernc.org/sqlite", false, false},
		{"a module nobody chose", "agent", "github.com/example/other", false, false},
		{"a module for tests in a program", "agent", "github.com/google/go-cmp/cmp", false, false},
		{"a module for tests in a test", "agent", "github.com/google/go-cmp/cmp", true, true},
		{"a fake in a program", "server", module + "/agent/agenttest", false, false},
		{"a fake in a test", "server", module + "/agent/agenttest", true, true},
		{"a test may not look up either", "agent/chat", module + "/server", true, false},
		{"an external test imports its own package", "agent/chat", module + "/agent/chat", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check := law.check
			if tt.test {
				check = law.checkTest
			}
			if err := check(tt.pkg, tt.path); (err == nil) != tt.want {
				t.Errorf("%s imports %s (test: %t): got %v, want allowed: %t", tt.pkg, tt.path, tt.test, err, tt.want)
			}
		})
	}
}

// check reports an import in a program's file that the law does not allow.
func (l law) check(pkg, path string) error {
	switch {
	case path == module || strings.HasPrefix(path, module+"/"):
		if allowed := l.imports[pkg]; !slices.Contains(allowed, folder(path)) && !slices.Contains(allowed, everything) {
			return fmt.Errorf("%s imports %s: the packages table allows it only %q", pkg, folder(path), allowed)
		}
	case strings.Contains(strings.Split(path, "/")[0], "."):
		home := l.home(path)
		if !slices.Contains(home, pkg) && !slices.Contains(home, everyPackage) {
			return fmt.Errorf("%s imports %s: the modules table gives it the home %q", pkg, path, home)
		}
	}
	return nil
}

// checkTest reports an import in a test file. Beyond what the package may import, tests may use its own exports,
// whatever is below it, the fakes and the modules for tests; server and its Go client may test each other.
func (l law) checkTest(pkg, path string) error {
	name := folder(path)
	switch {
	case l.check(pkg, path) == nil, name == pkg, l.fakes[name], l.below(pkg, name), slices.Contains(l.home(path), anyTest):
		return nil
	case pkg == "server" && name == "server/client", pkg == "server/client" && name == "server":
		return nil
	}
	return fmt.Errorf("a test of %w", l.check(pkg, path))
}

// below reports whether pkg may import name, directly or by way of others.
func (l law) below(pkg, name string) bool {
	return slices.ContainsFunc(l.imports[pkg], func(direct string) bool { return direct == name || l.below(direct, name) })
}

// home returns the packages that may import the module of an import path.
func (l law) home(path string) []string {
	module, _ := l.module(path)
	return l.homes[module]
}

// module returns the row of the modules table that an import path belongs to.
func (l law) module(path string) (string, bool) {
	for module := range l.homes {
		if path == module || strings.HasPrefix(path, module+"/") {
			return module, true
		}
	}
	return "", false
}

// readLaw reads the three tables. A table is known by the first word of its header.
func readLaw(t *testing.T) law {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repo, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	l := law{
		imports: make(map[string][]string), fakes: make(map[string]bool),
		homes: make(map[string][]string), goroutines: make(map[string]bool),
	}
	for _, row := range tableRows(string(page), "package", 3) {
		pkg := names(row[0])
		if len(pkg) != 1 {
			t.Fatalf("packages table: %q names no package", row[0])
		}
		l.imports[pkg[0]] = names(row[2])
		if strings.HasPrefix(row[1], "fake") {
			l.fakes[pkg[0]] = true
		}
	}
	for _, row := range tableRows(string(page), "module", 2) {
		for _, path := range names(row[0]) {
			l.homes[path] = names(row[1])
		}
	}
	for _, row := range tableRows(string(page), "goroutine", 3) {
		for _, pkg := range names(row[1]) {
			l.goroutines[pkg] = true
		}
	}
	if len(l.imports) == 0 || len(l.homes) == 0 || len(l.goroutines) == 0 {
		t.Fatal("docs/architecture.md lacks the table of packages, of modules or of goroutines")
	}
	return l
}

// tableRows returns the cells of the Markdown table whose header begins with first.
func tableRows(page, first string, columns int) [][]string {
	var rows [][]string
	inside := false
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case cells[0] == first:
			inside = true
		case inside && len(cells) == columns && strings.Trim(cells[0], "-:") != "":
			rows = append(rows, cells)
		}
	}
	return rows
}

var quoted = regexp.MustCompile("`([^`]+)`")

// names returns the names in a cell: those in backticks, and the words that stand for many.
func names(cell string) []string {
	var found []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		found = append(found, m[1])
	}
	for _, word := range strings.FieldsFunc(quoted.ReplaceAllString(cell, ""), func(r rune) bool { return r == ' ' || r == ',' }) {
		if word == everyPackage || word == anyTest || word == everything {
			found = append(found, word)
		}
	}
	return found
}

// folder turns an import path of ours into the package's folder.
func folder(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

func listPackages(t *testing.T, goos string) []listed {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(goList(t, goos, "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./...")))
	var all []listed
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func goList(t *testing.T, goos string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e"}, args...)...)
	cmd.Dir = repo
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s for %s: %v\n%s", strings.Join(args, " "), goos, err, stderr.Bytes())
	}
	return out
}
