package permission

import (
	"regexp"
	"slices"
	"strings"
)

// loopbackURL is a URL, or what curl takes for one, on the loopback, which in a whole sandbox is that of the session.
var loopbackURL = regexp.MustCompile(`^(https?://)?(localhost|([a-z0-9-]+\.)+localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|0\.0\.0\.0|\[::1?\])(:[0-9]{1,5})?([/?#].*)?$`)

// askers are the programs that are let ask a server of the session.
var askers = []string{"curl", "wget", "http"}

// asksLoopback reports whether a program means a server of the session, and no other: then it needs no network of the machine,
// and gets none. Whatever else its words may mean, the sandbox bounds it like code of the project.
func asksLoopback(row commandRow, args []arg) (asks bool) {
	if len(row.name) != 1 || !slices.Contains(askers, row.name[0]) {
		return false
	}
	for _, a := range args {
		switch {
		case !a.word.known:
			return false
		case loopbackURL.MatchString(strings.ToLower(a.text)):
			asks = true
		case strings.Contains(a.text, "://"):
			return false
		}
	}
	return asks
}
