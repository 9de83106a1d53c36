package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// probeScript is the self-test where the program cannot be its own helper. It prints the number of each attempt that
// succeeds. $1 is the workdir, $2 a secret, $3 a port of this machine, $4 the id of the host, and the rest are files
// outside.
const probeScript = `cd "$1" || exit 3
: > written || exit 4
git=$1/.git hook=$1/.git/hooks/pre-commit secret=$2 port=$3 host=$4
shift 4
for f; do : > "$f" && echo 0; done
read -r text < "$secret"; [ -n "$text" ] && echo 1
(: < "/dev/tcp/127.0.0.1/$port") && echo 2
kill -0 "$host" && echo 5
echo '#!/bin/sh' > "$hook" && echo 6
mv "$git" "$git.away" && mv "$git.away" "$git" && echo 7
exit 0
`

// notScripted are the checks that a shell cannot make.
var notScripted = map[string]string{
	checkUnix:      "sockets of daemons are denied with the network",
	checkEnviron:   "not tried",
	checkNamespace: "the system has none",
}

// script runs the script in the box, and returns what it could not do.
func (b *Box) script(ctx context.Context, f fixture, addr string, host int) ([]Check, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	argv := append([]string{"/bin/bash", "--noprofile", "--norc", "-c", probeScript, "probe", f.work, f.secret, port, strconv.Itoa(host)}, f.outside...)
	var said bytes.Buffer
	out, err := b.Run(ctx, Command{
		Argv: argv, Dir: f.work, Env: []string{"PATH=/usr/bin:/bin", "HOME=" + b.options.Home}, Stdout: &said, Quiet: true, Timeout: 10 * time.Second,
	}, Bounds{Workdir: f.work, Scratch: filepath.Dir(f.secret) + "/scratch"})
	if err != nil {
		return nil, err
	}
	if out.Code != 0 {
		return nil, fmt.Errorf("the probe ended with %d", out.Code)
	}
	var checks []Check
	for i, name := range allChecks {
		why, untried := notScripted[name]
		checks = append(checks, Check{Name: name, Detail: why, Held: !untried && !strings.Contains("\n"+said.String(), "\n"+strconv.Itoa(i)+"\n")})
	}
	f.inspect(checks)
	return checks, nil
}
