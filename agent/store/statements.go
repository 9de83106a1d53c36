package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// statements prepares each SQL text once, when it is first used: a start of the program pays only for what it runs.
type statements struct {
	db    preparer
	mu    sync.Mutex
	texts map[string]*sql.Stmt // nil once closed
}

// A preparer is a *sql.DB or a *sql.Conn.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func newStatements(db preparer) *statements {
	return &statements{db: db, texts: map[string]*sql.Stmt{}}
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		return nil, ErrClosed
	}
	if stmt, ok := s.texts[query]; ok {
		return stmt, nil
	}
	stmt, err := s.db.PrepareContext(ctx, query)
	if err == nil {
		s.texts[query] = stmt
	}
	return stmt, err
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.texts {
		errs = append(errs, stmt.Close())
	}
	s.texts = nil
	return errors.Join(errs...)
}
