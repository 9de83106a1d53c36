//go:build !linux

package pdftext

func own(program string) string { return program }
