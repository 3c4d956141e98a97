package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
)

const (
	// guestGrace is how long a call of a store may go on after its context has ended, before it is left behind.
	guestGrace = time.Second
	// guestOpens and guestCloses are how long an engine may take to open a store whose context does not end before, and a store to close.
	guestOpens  = 30 * time.Second
	guestCloses = 2 * time.Second
	// guestStuck is how many calls that do not return are put up with before no more are made.
	guestStuck = 64
	// guestWarnEvery is how often the log tells of a store's faults at the most.
	guestWarnEvery = time.Minute
)

// guard is a store that others have written: a fault of it ends the call and nothing else.
type guard struct {
	store  Store
	log    *zap.Logger
	stuck  atomic.Int32 // calls that were left behind, and have not returned
	warned atomic.Int64 // in nanoseconds of Unix time
}

// Open opens the store of an engine. A call of it that panics, or that does not return when its context has ended, is one of a store that is
// away: whether a change was made is not known then. The store is an Inspector, a Sweeper and an io.Closer, whichever of them the engine's is.
func Open(ctx context.Context, e Engine, log *zap.Logger) (Store, error) {
	g := &guard{log: log}
	ctx, stop := context.WithTimeout(ctx, guestOpens)
	defer stop()
	store, err := called(ctx, g, "open", nil, func(*calling) (Store, error) { return e.Open(ctx) })
	if err == nil && store == nil {
		err = errors.New("the engine has given no store")
	}
	if err != nil {
		return nil, err
	}
	g.store = store
	return g, nil
}

// errNobodyKnows: a call that was to change something has ended by a fault.
var errNobodyKnows = fmt.Errorf("%w (%w)", ErrUnknown, ErrAway)

// Change implements Store.
func (g *guard) Change(ctx context.Context, key string, f func(at Moment, old []byte) ([]byte, error)) error {
	var own error // of f, as it is: what comes back through the call has a text that was read there
	err := g.call(ctx, "change", errNobodyKnows, func(c *calling) error {
		return g.store.Change(ctx, key, func(at Moment, old []byte) (next []byte, err error) {
			if over := c.back(func() { next, err = f(at, old); own = err }); over != nil {
				return nil, over
			}
			return next, err
		})
	})
	if own != nil && errors.Unwrap(err) == own {
		return own
	}
	return err
}

// Load implements Store.
func (g *guard) Load(ctx context.Context, yield func(key string, value []byte) error, keys ...string) error {
	return g.call(ctx, "load", ErrAway, func(c *calling) error {
		return g.store.Load(ctx, func(key string, value []byte) (err error) {
			if over := c.back(func() { err = yield(key, value) }); over != nil {
				return over
			}
			return err
		}, keys...)
	})
}

// Append implements Store.
func (g *guard) Append(ctx context.Context, gateway string, rows []Row) (Appended, error) {
	return called(ctx, g, "append", errNobodyKnows, func(*calling) (Appended, error) { return g.store.Append(ctx, gateway, rows) })
}

// Journal implements Store.
func (g *guard) Journal(ctx context.Context, gateway string, after uint64, yield func(Row) error) error {
	return g.call(ctx, "journal", ErrAway, func(c *calling) error {
		return g.store.Journal(ctx, gateway, after, func(r Row) (err error) {
			if over := c.back(func() { err = yield(r) }); over != nil {
				return over
			}
			return err
		})
	})
}

// Inspect implements Inspector. errors.ErrUnsupported: the store is none.
func (g *guard) Inspect(ctx context.Context) (Condition, error) {
	inspector, ok := g.store.(Inspector)
	if !ok {
		return Condition{}, errors.ErrUnsupported
	}
	return called(ctx, g, "inspect", ErrAway, func(*calling) (Condition, error) { return inspector.Inspect(ctx) })
}

// Sweep implements Sweeper. Where the store is none it does nothing.
func (g *guard) Sweep(ctx context.Context, prefix string) error {
	sweeper, ok := g.store.(Sweeper)
	if !ok {
		return nil
	}
	return g.call(ctx, "sweep", ErrAway, func(*calling) error { return sweeper.Sweep(ctx, prefix) })
}

// Close implements io.Closer. Where the store is none it does nothing.
func (g *guard) Close() error {
	closer, ok := g.store.(io.Closer)
	if !ok {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), guestCloses)
	defer stop()
	return g.call(ctx, "close", nil, func(*calling) error { return closer.Close() })
}

func (g *guard) call(ctx context.Context, op string, means error, f func(*calling) error) error {
	_, err := called(ctx, g, op, means, func(c *calling) (struct{}, error) { return struct{}{}, f(c) })
	return err
}

// called makes a call on a goroutine of its own: it may panic, and it may never come back. means is what that means; nil: nothing in particular.
func called[T any](ctx context.Context, g *guard, op string, means error, f func(*calling) (T, error)) (T, error) {
	var none T
	switch {
	case ctx.Err() != nil:
		return none, fmt.Errorf("%w: %w", ErrAway, context.Cause(ctx))
	case g.stuck.Load() >= guestStuck:
		return none, fmt.Errorf("%w: it has not returned from %d calls, and is not asked any more", ErrAway, guestStuck)
	}
	c := new(calling)
	defer c.end()
	out := guestcall.Do(ctx, guestGrace, func() (T, error) { return f(c) }, func(late bool) {
		if late {
			g.stuck.Add(-1)
		}
	})
	switch out.Fault {
	case "":
		return out.Value, out.Err
	case guestcall.Blocked:
		g.stuck.Add(1)
	}
	g.tell(op, out.Fault, out.Stack)
	err := fmt.Errorf("the fleet's store %s (%s)", out.Fault, op)
	if means != nil {
		err = fmt.Errorf("%w: %w", means, err)
	}
	return none, err
}

// tell tells of a fault, now and then.
func (g *guard) tell(op string, fault guestcall.Fault, stack []byte) {
	now, before := time.Now().UnixNano(), g.warned.Load()
	if before != 0 && now-before < int64(guestWarnEvery) || !g.warned.CompareAndSwap(before, now) {
		return
	}
	fields := []zap.Field{zap.String("call", op), zap.String("fault", string(fault)), zap.String("hint", "it is taken for away: see to its module")}
	if len(stack) > 0 {
		fields = append(fields, zap.ByteString("stack", stack))
	}
	g.log.Error("fleet.store.misbehaved", fields...)
}

// calling is a call of a store while it lasts: the store may call back until then, once at a time.
type calling struct {
	mu   sync.Mutex
	over bool
}

var errCallOver = fmt.Errorf("%w: the call that this belongs to is over", ErrAway)

func (c *calling) back(f func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return errCallOver
	}
	f()
	return nil
}

func (c *calling) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}
