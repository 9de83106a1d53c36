//go:build !linux

package sandbox

// A Network is a loopback that several commands share. This system has none of its own for commands.
type Network struct{}

// NewNetwork returns nil: commands have no network here, or the machine's.
func (b *Box) NewNetwork() (*Network, error) { return nil, nil }

// Close does nothing.
func (n *Network) Close() {}
