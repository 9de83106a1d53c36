package wire

import "strings"

// Path returns the URL path of the session with the name, or of the child with the address. A server takes a name as it
// stands and decodes a child's, once.
func Path(address string) string {
	name, below, child := strings.Cut(address, "/")
	if child {
		name += "/" + strings.ReplaceAll(below, "%", "%25")
	}
	return "/agents/coder-agent/" + name
}
