package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
)

// applicationID marks the file as ours in SQLite's header: "codr" in ASCII.
const applicationID = 0x636f6472

//go:embed migrations/1_sessions.sql
var sessionsSQL string

//go:embed migrations/2_system.sql
var systemSQL string

//go:embed migrations/3_schedules.sql
var schedulesSQL string

//go:embed migrations/4_clients.sql
var clientsSQL string

//go:embed migrations/5_context.sql
var contextSQL string

//go:embed migrations/6_keep.sql
var keepSQL string

//go:embed migrations/7_provider.sql
var providerSQL string

//go:embed migrations/8_cleared.sql
var clearedSQL string

//go:embed migrations/9_cost.sql
var costSQL string

//go:embed migrations/10_rules.sql
var rulesSQL string

//go:embed migrations/11_snapshots.sql
var snapshotsSQL string

//go:embed migrations/12_task.sql
var taskSQL string

// migrations are the scripts in order: script i leads from schema version i to i+1. They are never changed once
// released. A migration library would cost its package initialisers at every start of the program and a dozen modules,
// for the loop below.
func migrations() []string {
	return []string{sessionsSQL, systemSQL, schedulesSQL, clientsSQL, contextSQL, keepSQL, providerSQL, clearedSQL, costSQL, rulesSQL, snapshotsSQL, taskSQL}
}

// migrate brings the file to the newest schema: all missing scripts in one transaction, so that it has either the old
// schema or the new.
func migrate(ctx context.Context, conn *sql.Conn, path string, scripts []string) error {
	have, err := schemaVersion(ctx, conn, path)
	if err != nil {
		return err
	}
	if have > len(scripts) {
		return &NewerError{Path: path, Have: have, Know: len(scripts)}
	}
	if err := allowReclaim(ctx, conn, have == 0); err != nil {
		return err
	}
	if err := useWAL(ctx, conn); err != nil {
		return err
	}
	if have == len(scripts) {
		return nil
	}
	if err := runScripts(ctx, conn, have, scripts[have:]); err != nil {
		_, rollback := conn.ExecContext(ctx, "ROLLBACK")
		return errors.Join(fmt.Errorf("migrating from schema %d to %d: %w", have, len(scripts), err), rollback)
	}
	return nil
}

func runScripts(ctx context.Context, conn *sql.Conn, have int, scripts []string) error {
	steps := []string{"BEGIN IMMEDIATE"}
	steps = append(steps, scripts...)
	steps = append(steps,
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", have+len(scripts)),
		"COMMIT")
	for _, step := range steps {
		if _, err := conn.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// schemaVersion returns the schema version of a file, 0 for one that is new. It changes nothing.
func schemaVersion(ctx context.Context, conn *sql.Conn, path string) (int, error) {
	var id, version, tables int
	const query = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id, pragma_user_version"
	if err := conn.QueryRowContext(ctx, query).Scan(&id, &version, &tables); err != nil {
		return 0, err
	}
	isNew := id == 0 && version == 0 && tables == 0
	isOurs := id == applicationID && version > 0
	if !isNew && !isOurs {
		return 0, &CorruptError{Path: path, Err: errors.New("it is a database of another program")}
	}
	return version, nil
}

// useWAL turns on the write-ahead log. The mode is kept in the file, but a backup may have lost it.
func useWAL(ctx context.Context, conn *sql.Conn) error {
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("its file system cannot share memory between processes, as SQLite's log needs (journal mode %q)", mode)
	}
	return nil
}

// allowReclaim makes a file one whose free pages can be given back. For a new one that is a setting; one from before
// Reclaim is copied, once, which takes about 3 s and twice the room for each GB.
func allowReclaim(ctx context.Context, conn *sql.Conn, isNew bool) error {
	const incremental = 2
	var mode int
	if err := conn.QueryRowContext(ctx, "PRAGMA auto_vacuum").Scan(&mode); err != nil || mode == incremental {
		return err
	}
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA auto_vacuum = %d", incremental)); err != nil || isNew {
		return err
	}
	if _, err := conn.ExecContext(ctx, "VACUUM"); err != nil {
		return fmt.Errorf("copying it once: %w", err)
	}
	return nil
}
