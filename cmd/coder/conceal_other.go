//go:build !linux

package main

// conceal does nothing here: no way is known to take something out of the environment that the system shows. On Unix a
// host starts itself anew without it.
func conceal([]string) error { return nil }
