//go:build !linux

package sandbox

// Dispatch makes this process a helper if it was started as one. Only Linux has them.
func Dispatch() {}
