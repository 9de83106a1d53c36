package store

import (
	"context"
	"errors"
)

// Check reads the whole file and reports damage as a *CorruptError. It takes about a second for each GB.
func (s *Store) Check(ctx context.Context) error {
	var report string
	err := s.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&report)
	if err == nil && report != "ok" {
		return &CorruptError{Path: s.path, Err: errors.New(report)}
	}
	if err != nil {
		return s.failed("checking", err)
	}
	return nil
}
