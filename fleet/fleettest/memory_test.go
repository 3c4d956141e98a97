package fleettest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

func TestMemoryConforms(t *testing.T) {
	m := NewMemory()
	Run(t, func(testing.TB) fleet.Store { return m })
}

func TestLinkConforms(t *testing.T) {
	m := NewMemory()
	Run(t, func(testing.TB) fleet.Store { return NewLink(m) })
}

// opened is an engine that opens a store which is there.
type opened struct{ fleet.Store }

func (o opened) Open(context.Context) (fleet.Store, error) { return o.Store, nil }

// What guards a gateway against the faults of a store keeps to what is asked of one.
func TestGuardConforms(t *testing.T) {
	m := NewMemory()
	Run(t, func(t testing.TB) fleet.Store {
		s, err := fleet.Open(t.Context(), opened{m}, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// broken is a store with a fault that some engine has.
type broken struct {
	*Memory
	change  func(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error
	add     func(ctx context.Context, gateway string, rows []fleet.Row) (fleet.Appended, error)
	load    func(ctx context.Context, yield func(string, []byte) error, keys ...string) error
	journal func(ctx context.Context, gateway string, after uint64, yield func(fleet.Row) error) error
}

func (b *broken) Change(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
	if b.change != nil {
		return b.change(ctx, key, f)
	}
	return b.Memory.Change(ctx, key, f)
}

func (b *broken) Append(ctx context.Context, gateway string, rows []fleet.Row) (fleet.Appended, error) {
	if b.add != nil {
		return b.add(ctx, gateway, rows)
	}
	return b.Memory.Append(ctx, gateway, rows)
}

func (b *broken) Load(ctx context.Context, yield func(string, []byte) error, keys ...string) error {
	if b.load != nil {
		return b.load(ctx, yield, keys...)
	}
	return b.Memory.Load(ctx, yield, keys...)
}

func (b *broken) Journal(ctx context.Context, gateway string, after uint64, yield func(fleet.Row) error) error {
	if b.journal != nil {
		return b.journal(ctx, gateway, after, yield)
	}
	return b.Memory.Journal(ctx, gateway, after, yield)
}

// A store with any of these faults fails.
func TestBrokenStoresFail(t *testing.T) {
	for name, breakIt := range map[string]func(b *broken){
		"reads, and writes later": func(b *broken) {
			b.change = func(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
				var next []byte
				if err := b.Memory.Change(ctx, key, func(at fleet.Moment, old []byte) (_ []byte, err error) {
					next, err = f(at, slices.Clone(old))
					return old, err
				}); err != nil {
					return err
				}
				runtime.Gosched()
				return b.Memory.Change(ctx, key, func(fleet.Moment, []byte) ([]byte, error) { return next, nil })
			}
		},
		"an empty value is none": func(b *broken) {
			b.change = func(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
				return b.Memory.Change(ctx, key, func(at fleet.Moment, old []byte) ([]byte, error) {
					next, err := f(at, old)
					if len(next) == 0 {
						next = nil
					}
					return next, err
				})
			}
		},
		"keys are text": func(b *broken) {
			b.change = func(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
				return b.Memory.Change(ctx, strings.ToValidUTF8(key, ""), f)
			}
		},
		"wraps the error of f": func(b *broken) {
			b.change = func(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
				if err := b.Memory.Change(ctx, key, f); err != nil {
					return errors.Join(err)
				}
				return nil
			}
		},
		"says that it is away after it has written": func(b *broken) {
			b.change = func(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
				err := b.Memory.Change(ctx, key, f)
				if ctx.Err() != nil {
					return fleet.ErrAway
				}
				return err
			}
		},
		"no order": func(b *broken) {
			b.load = func(ctx context.Context, yield func(string, []byte) error, keys ...string) error {
				for _, key := range keys {
					if err := b.Memory.Load(ctx, yield, key); err != nil {
						return err
					}
				}
				return nil
			}
		},
		"takes gaps": func(b *broken) {
			b.add = func(ctx context.Context, gateway string, rows []fleet.Row) (fleet.Appended, error) {
				out, err := b.Memory.Append(ctx, gateway, rows)
				if err != nil && !errors.Is(err, fleet.ErrFork) {
					return fleet.Appended{}, nil
				}
				return out, err
			}
		},
		"leaves what is there without a look": func(b *broken) {
			b.add = func(ctx context.Context, gateway string, rows []fleet.Row) (fleet.Appended, error) {
				out, err := b.Memory.Append(ctx, gateway, rows)
				if errors.Is(err, fleet.ErrFork) {
					return b.Memory.Append(ctx, gateway, nil)
				}
				return out, err
			}
		},
		"adds row by row": func(b *broken) {
			b.add = func(ctx context.Context, gateway string, rows []fleet.Row) (fleet.Appended, error) {
				for i := range rows {
					if _, err := b.Memory.Append(ctx, gateway, rows[i:i+1]); err != nil {
						return fleet.Appended{}, err
					}
				}
				return b.Memory.Append(ctx, gateway, nil)
			}
		},
		"tells twins of what is new alone": func(b *broken) {
			b.add = func(ctx context.Context, gateway string, rows []fleet.Row) (fleet.Appended, error) {
				before, _ := b.Memory.Append(ctx, gateway, nil)
				out, err := b.Memory.Append(ctx, gateway, rows)
				out.Twins = slices.DeleteFunc(out.Twins, func(t fleet.Twin) bool { return t.Seq <= before.Last })
				return out, err
			}
		},
		"gives one page": func(b *broken) {
			b.journal = func(ctx context.Context, gateway string, after uint64, yield func(fleet.Row) error) error {
				return b.Memory.Journal(ctx, gateway, after, func(r fleet.Row) error {
					if r.Seq > after+512 {
						return nil
					}
					return yield(r)
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &broken{Memory: NewMemory()}
			breakIt(b)
			var failed []string
			for _, c := range checks {
				if c.check(t.Context(), newBench(b, b, b, b)) != nil {
					failed = append(failed, c.name)
				}
			}
			if t.Log("fails", failed); len(failed) == 0 {
				t.Error("it passes")
			}
		})
	}
}

// A store forgets what was changed last, rows and the owners of their settlements too, and says so by another line.
func TestMemoryForgets(t *testing.T) {
	m := NewMemory()
	b := newBench(m)
	ctx := t.Context()
	line := func() (line string) {
		if err := m.Change(ctx, "line", func(at fleet.Moment, old []byte) ([]byte, error) { line = at.Line; return nil, nil }); err != nil {
			t.Fatal(err)
		}
		return line
	}
	g, h := b.gateway("g"), b.gateway("h")
	before := line()
	rows, others := b.rows(g, "", 2, "s1"), b.rows(h, "", 2, "s1")
	m.Freeze(true)
	if err := errors.Join(b.put(ctx, "k", "1"), b.put(ctx, "k", "2"), b.put(ctx, "new", "1"), b.add(ctx, g, rows, 2, rows)); err != nil {
		t.Fatal(err)
	}
	if err := m.Load(ctx, func(key string, _ []byte) error { return errors.New(key + " is shown") }, b.place); err != nil {
		t.Error(err)
	}
	m.Freeze(false)
	m.Forget(3)
	if err := errors.Join(b.want(ctx, "k", "1"), b.wantNone(ctx, "new"), b.journal(ctx, g, 0, nil), b.add(ctx, h, others, 2, others)); err != nil {
		t.Error(err)
	}
	if after := line(); after == before {
		t.Errorf("the line is %q and was %q", after, before)
	}
}

func TestLinkLoses(t *testing.T) {
	l := NewLink(NewMemory())
	b := newBench(l)
	for _, c := range []struct {
		loss Loss
		made bool
	}{{Question, false}, {Answer, true}} {
		l.Lose(func() Loss { return c.loss })
		if err := b.put(t.Context(), "k", "1"); !errors.Is(err, fleet.ErrUnknown) {
			t.Errorf("%v", err)
		}
		l.Lose(nil)
		if _, there, err := b.get(t.Context(), "k"); there != c.made || err != nil {
			t.Errorf("made: %t, %v", there, err)
		}
	}
	l.Cut(true)
	if err := b.put(t.Context(), "k", "2"); !errors.Is(err, fleet.ErrAway) || errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("%v", err)
	}
	l.Cut(false)
	if err := b.want(t.Context(), "k", "1"); err != nil {
		t.Error(err)
	}
}
