package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// Store is a fleet's store in a database.
type Store struct {
	pool   *pgxpool.Pool
	asks   *atomic.Pointer[pgx.ConnConfig] // as whom connections are made
	logger *zap.Logger

	engine    atomic.Pointer[engine] // nil: the tables were not seen yet
	schema    atomic.Pointer[string] // where the tables are, or are to be; nil: it is not known
	preparing chan struct{}
}

var _ fleet.Store = (*Store)(nil)

// How long one call may take in all, tries included.
const (
	changeTime = 5 * time.Second
	rowsTime   = 20 * time.Second
	closeTime  = time.Second
)

// maxTries is how often a transaction is tried that the engine has turned down for what others do, or for a connection that was broken.
const maxTries = 8

// begin starts a transaction that waits for the synchronous standbys, where there are any, and that a gateway which is paused within
// it does not keep for long: others wait for its row.
const begin = "begin isolation level read committed; set local synchronous_commit = on; set local idle_in_transaction_session_timeout = '1s'"

// Close ends the connections. It does not wait long for those that are dead.
func (s *Store) Close() error {
	done := make(chan struct{})
	go func() {
		s.pool.Close()
		close(done)
	}()
	limit := time.NewTimer(closeTime)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	}
	return nil
}

// write runs a transaction, again where that can help and is known to have changed nothing. do tells its own errors, which are
// given back as they are, from the engine's by own.
func (s *Store) write(ctx context.Context, op string, limit time.Duration, do func(context.Context, *pgxpool.Conn, *engine) error) error {
	own, stop := context.WithTimeout(ctx, limit)
	defer stop()
	for try := 1; ; try++ {
		err := s.once(own, do)
		if err == nil {
			return nil
		}
		if refused, ok := errors.AsType[*refusal](err); ok {
			return refused.error
		}
		if !s.again(own, try, err) {
			return s.failed(ctx, op, err)
		}
	}
}

// again waits a little before the next try of what has changed nothing; false: there is none.
func (s *Store) again(ctx context.Context, try int, err error) bool {
	if codeOf(err) == undefinedTable {
		s.engine.Store(nil) // somebody has dropped the tables, or one of them: they are made again, and their line is another one
	}
	return try < maxTries && ctx.Err() == nil && retriable(err) && pause(ctx, try)
}

// once is one try of write.
func (s *Store) once(ctx context.Context, do func(context.Context, *pgxpool.Conn, *engine) error) error {
	e, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return &connectError{err}
	}
	defer conn.Release() // one that is still in a transaction is closed
	if _, err := conn.Exec(ctx, begin); err != nil {
		return err
	}
	if err := do(ctx, conn, e); err != nil {
		if _, ok := errors.AsType[*refusal](err); ok {
			conn.Exec(ctx, "rollback") //nolint:errcheck // where it fails, the connection is closed, which is the same
		}
		return err
	}
	return commit(ctx, conn.Conn())
}

// commit ends a transaction. From here on it may have been made, whatever comes back.
func commit(ctx context.Context, conn *pgx.Conn) error {
	forgetNotes(conn.PgConn())
	tag, err := conn.Exec(ctx, "commit")
	switch {
	case err != nil && undone(err):
		return err
	case err != nil:
		return &unknownError{err}
	case tag.String() != "COMMIT":
		return errors.New("the transaction was taken back")
	}
	if note := noted(conn.PgConn()); note != "" {
		return &unknownError{errors.New(note)}
	}
	return nil
}

// read runs a query outside of a transaction, again where that can help.
func (s *Store) read(ctx context.Context, op string, limit time.Duration, do func(context.Context, *pgxpool.Conn) error) error {
	own, stop := context.WithTimeout(ctx, limit)
	defer stop()
	for try := 1; ; try++ {
		err := func() error {
			if _, err := s.prepare(own); err != nil {
				return err
			}
			conn, err := s.pool.Acquire(own)
			if err != nil {
				return &connectError{err}
			}
			defer conn.Release()
			return do(own, conn)
		}()
		if err == nil {
			return nil
		}
		if !s.again(own, try, err) {
			return s.failed(ctx, op, err)
		}
	}
}

// pause waits a little, longer each time and not as long as others do; false: the context has ended.
func pause(ctx context.Context, try int) bool {
	wait := time.NewTimer(time.Duration(rand.Int64N(int64(min(try, 5)) * int64(20*time.Millisecond))))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wait.C:
		return true
	}
}

// failed makes of an engine's error what is given to the caller: the store is away, or it is not known what it has done. It drops
// the connections that are idle: what has broken one has broken most of them.
func (s *Store) failed(caller context.Context, op string, err error) error {
	if caller.Err() == nil && stale(err) {
		s.pool.Reset()
	}
	// The engine's error is told and not wrapped: an end of our own limit is none of the caller's context.
	kind := fleet.ErrAway
	if _, ok := errors.AsType[*unknownError](err); ok {
		kind = fmt.Errorf("%w (%w)", fleet.ErrUnknown, fleet.ErrAway)
	}
	if errors.Is(err, errSetting) {
		kind = fmt.Errorf("%w (%w)", kind, errSetting)
	}
	if ended := caller.Err(); ended != nil {
		return fmt.Errorf("fleet postgres: %s: %w: %w", op, kind, ended)
	}
	if errors.Is(err, errSetting) { // which has it already
		return fmt.Errorf("fleet postgres: %s: %w: %s", op, kind, tell(err))
	}
	return fmt.Errorf("fleet postgres: %s: %w: %s%s", op, kind, tell(err), s.advice(err))
}
