package sandbox

import (
	"slices"
	"strings"
	"testing"
)

func TestTheShellIsChosen(t *testing.T) {
	const system = `PATH=C:\Windows\System32;C:\Users\x\AppData\Local\Microsoft\WindowsApps`
	tests := []struct {
		name, system string
		env, files   []string
		kind         ShellKind
		path         string
	}{
		{"the first bash in PATH", "linux", []string{"PATH=rel:/opt/bin:/bin"}, []string{"rel/bash", "/opt/bin/bash", "/bin/bash"}, Bash, "/opt/bin/bash"},
		{"bash where it usually is", "darwin", []string{"PATH="}, []string{"/bin/bash", "/bin/sh"}, Bash, "/bin/bash"},
		{"sh without bash", "linux", nil, []string{"/bin/sh"}, Sh, "/bin/sh"},
		{"nothing", "linux", nil, nil, "", ""},
		{
			"the bash of the git in PATH", "windows",
			[]string{`Path=C:\Windows\System32;D:\Tools\Git\cmd\`, `ProgramFiles=C:\Program Files`},
			[]string{`C:\Windows\System32\bash.exe`, `D:\Tools\Git\cmd\git.exe`, `D:\Tools\Git\bin\bash.exe`, `C:\Program Files\Git\bin\bash.exe`},
			GitBash, `D:\Tools\Git\bin\bash.exe`,
		},
		{
			"the bash of Git where its installer puts it", "windows",
			[]string{system, `PROGRAMFILES=C:\Program Files`},
			[]string{`C:\Program Files\Git\bin\bash.exe`, `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`},
			GitBash, `C:\Program Files\Git\bin\bash.exe`,
		},
		{
			"a user's own Git", "windows",
			[]string{system, `LOCALAPPDATA=C:\Users\x\AppData\Local`},
			[]string{`C:\Users\x\AppData\Local\Programs\Git\bin\bash.exe`},
			GitBash, `C:\Users\x\AppData\Local\Programs\Git\bin\bash.exe`,
		},
		{
			"never the bash that starts a Linux", "windows",
			[]string{system},
			[]string{`C:\Windows\System32\bash.exe`, `C:\Users\x\AppData\Local\Microsoft\WindowsApps\bash.exe`, `C:\Windows\System32\powershell.exe`},
			WindowsPowerShell, `C:\Windows\System32\powershell.exe`,
		},
		{
			"PowerShell 7 before Windows PowerShell", "windows",
			[]string{`PATH=C:\Windows\System32;C:\pwsh`},
			[]string{`C:\Windows\System32\powershell.exe`, `C:\pwsh\pwsh.exe`},
			PowerShell, `C:\pwsh\pwsh.exe`,
		},
		{"no program of a relative folder", "windows", []string{`PATH=.;bin;\x`}, []string{`.\pwsh.exe`, `bin\pwsh.exe`, `\x\pwsh.exe`}, "", ""},
	}
	for _, tt := range tests {
		kind, path, err := shellOf(tt.system, tt.env, func(p string) bool { return slices.Contains(tt.files, p) })
		if kind != tt.kind || path != tt.path || (err != nil) != (tt.kind == "") {
			t.Errorf("%s: %s %s, %v; want %s %s", tt.name, kind, path, err, tt.kind, tt.path)
		}
	}
}

func TestACommandStandsInItsShellAsItIs(t *testing.T) {
	const command = "echo 'ä' | cat"
	for kind, want := range map[ShellKind]string{
		Bash: "x|--noprofile|--norc|-c|" + command, GitBash: "x|--noprofile|--norc|-c|" + command, Sh: "x|-c|" + command,
	} {
		if got := strings.Join(kind.argv("x", command), "|"); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
	for _, kind := range []ShellKind{PowerShell, WindowsPowerShell} {
		got := strings.Join(kind.argv("x", command), "|")
		if !strings.HasPrefix(got, "x|-NoLogo|-NoProfile|-NonInteractive|-Command|[Console]::OutputEncoding=") || !strings.Contains(got, ";"+command+"\n") || !strings.Contains(got, "UTF8") {
			t.Errorf("%s: %s", kind, got)
		}
	}
}
