package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// refusal is an error that is not the engine's: it is given back as it is, and nothing is changed.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

// unknownError: the commit was sent, and no answer says that it was made, or that it was not.
type unknownError struct{ error }

func (u *unknownError) Unwrap() error { return u.error }

// connectError: no connection could be had.
type connectError struct{ error }

func (c *connectError) Unwrap() error { return c.error }

// makingError: the tables could not be made.
type makingError struct{ error }

func (m *makingError) Unwrap() error { return m.error }

// errSetting is in an error that only an operator can mend.
var errSetting = errors.New("it needs an operator")

// SQLSTATEs by name.
const (
	undefinedTable        = "42P01"
	serializationFailure  = "40001"
	deadlockDetected      = "40P01"
	idleInTransaction     = "25P03"
	transactionTimeout    = "25P04" // of PostgreSQL 17 and later
	lockNotAvailable      = "55P03" // a lock_timeout
	queryCanceled         = "57014" // a statement_timeout
	readOnly              = "25006"
	duplicateTable        = "42P07"
	uniqueViolation       = "23505"
	adminShutdown         = "57P01"
	warning               = "01000"
	insufficientPrivilege = "42501"
	noDatabase            = "3D000"
	noSchema              = "3F000"
)

func codeOf(err error) string {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return said.Code
	}
	return ""
}

// undone tells of the error of a commit that the transaction was taken back for sure.
func undone(err error) bool {
	code := codeOf(err)
	return code == serializationFailure || code == deadlockDetected
}

// retriable tells whether a transaction that has failed, and that has surely changed nothing, is worth another try at once.
func retriable(err error) bool {
	if _, ok := errors.AsType[*unknownError](err); ok {
		return false
	}
	if _, ok := errors.AsType[*connectError](err); ok {
		return false
	}
	switch code := codeOf(err); code {
	case "": // the connection broke, most often since the server was started again while it was idle
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errSetting)
	case serializationFailure, deadlockDetected, idleInTransaction, transactionTimeout, lockNotAvailable, queryCanceled, undefinedTable, duplicateTable,
		uniqueViolation:
		return true
	default:
		return broken(code)
	}
}

// broken are the states after which a connection is of no use: 08xxx, and 57P01 to 57P03, by which a server says that it goes or comes.
func broken(code string) bool {
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P0") || code == readOnly
}

// stale tells whether the connections that are idle should go too.
func stale(err error) bool {
	code := codeOf(err)
	return code == "" && !errors.Is(err, context.Canceled) || broken(code)
}

// lasting are the states that are the same an hour later if nobody does anything: a role, a database or a right that is not there.
func lasting(code string) bool {
	return strings.HasPrefix(code, "28") || slices.Contains([]string{noDatabase, noSchema, insufficientPrivilege}, code)
}

// advice says what an operator can do about an error that lasts; empty: it is none.
func (s *Store) advice(err error) string {
	role := s.asks.Load().User
	making := false
	if _, ok := errors.AsType[*makingError](err); ok {
		making = true
	}
	switch code := codeOf(err); {
	case code == insufficientPrivilege && making:
		return fmt.Sprintf(": role %[1]s may not make the tables: GRANT CREATE ON SCHEMA %[2]s TO %[1]s, or start a gateway once as the database's owner "+
			"and then GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %[2]s TO %[1]s", role, s.schemaName())
	case code == insufficientPrivilege:
		return fmt.Sprintf(": role %s lacks a right: as the owner of the tables GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s", role, s.schemaName(), role)
	case code == noDatabase:
		return ": make it, with ENCODING 'UTF8' TEMPLATE template0"
	case code == noSchema:
		return ": set the search_path of the role to a schema that is there"
	case strings.HasPrefix(code, "28"):
		return ": see to the role and the password in the dsn, and to pg_hba.conf of the server"
	}
	return ""
}

// schemaName is that of the tables, as SQL takes it.
func (s *Store) schemaName() string {
	if name := s.schema.Load(); name != nil {
		return *name
	}
	return "public"
}

// tell is what an error says, on one line. What pgx says when a connection fails is long and of several lines.
func tell(err error) string {
	if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout() {
		if _, unknown := errors.AsType[*unknownError](err); unknown {
			return "no answer to the commit in time: a synchronous standby may be missing"
		}
		return "no answer in time"
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// noteKey is where a connection keeps what it was warned of.
const noteKey = "tokenbuddy"

// note keeps the warnings that turn the answer to a commit into a lie: one that waits for a synchronous standby is ended by a cancel
// with success, and is lost where that standby takes over.
func note(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.Code == warning || n.Code == adminShutdown {
		conn.CustomData()[noteKey] = n.Message
	}
}

func forgetNotes(conn *pgconn.PgConn) { delete(conn.CustomData(), noteKey) }

func noted(conn *pgconn.PgConn) string {
	said, _ := conn.CustomData()[noteKey].(string)
	return said
}
