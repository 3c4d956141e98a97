package fleettest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// Run holds a store to what fleet.Store asks of it. open gives stores that reach one and the same engine, as those of several gateways
// do; what is in it already does no harm, and what is added is under keys and gateways that begin with fleettest. It does not break
// the way to the engine: a proxy of the engine's own tests should, to prove that what it acknowledges is there, and ErrUnknown.
func Run(t *testing.T, open func(t testing.TB) fleet.Store) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			stores := make([]fleet.Store, 4)
			for i := range stores {
				stores[i] = open(t)
			}
			if err := c.check(t.Context(), newBench(stores...)); err != nil {
				t.Error(err)
			}
		})
	}
}

// checks are the tests, which give the first thing that is wrong.
var checks = []struct {
	name  string
	check func(context.Context, *bench) error
}{
	{"Change", changes},
	{"ChangeKeepsBytes", keepsBytes},
	{"ChangeRefused", refuses},
	{"ChangeDeletes", deletes},
	{"ChangeAtOnce", atOnce},
	{"ChangeComesAndGoes", comesAndGoes},
	{"ChangeCancelled", cancelled},
	{"Moment", moments},
	{"Load", loads},
	{"Append", appends},
	{"AppendAgain", appendsAgain},
	{"AppendForks", forks},
	{"AppendGaps", gaps},
	{"AppendAtOnce", appendsAtOnce},
	{"Twins", twins},
	{"TwinsAtOnce", twinsAtOnce},
	{"Journal", journals},
}

// bench is what a check works on: stores of one engine, and a place in it that is the check's own.
type bench struct {
	stores []fleet.Store
	fleet.Store
	place string
}

func newBench(stores ...fleet.Store) *bench {
	return &bench{stores, stores[0], "fleettest/" + rand.Text() + "/"}
}

func (b *bench) key(name string) string { return b.place + name }

func (b *bench) put(ctx context.Context, name, value string) error {
	return b.Change(ctx, b.key(name), func(fleet.Moment, []byte) ([]byte, error) { return []byte(value), nil })
}

// get reads by a change, which is never old. there: there is a value.
func (b *bench) get(ctx context.Context, name string) (value string, there bool, err error) {
	err = b.Change(ctx, b.key(name), func(_ fleet.Moment, old []byte) ([]byte, error) {
		value, there = string(old), old != nil
		return old, nil
	})
	return value, there, err
}

func (b *bench) want(ctx context.Context, name, want string) error {
	got, there, err := b.get(ctx, name)
	if err != nil {
		return err
	}
	if !there || got != want {
		return fmt.Errorf("%s is %q (there: %t), want %q", name, got, there, want)
	}
	return nil
}

func (b *bench) wantNone(ctx context.Context, name string) error {
	got, there, err := b.get(ctx, name)
	if err == nil && there {
		err = fmt.Errorf("%s is %q, and was to be none", name, got)
	}
	return err
}

func changes(ctx context.Context, b *bench) error {
	if err := b.wantNone(ctx, "new"); err != nil {
		return err
	}
	for _, value := range []string{"1", "22", ""} {
		if err := b.put(ctx, "k", value); err != nil {
			return err
		}
		for _, s := range b.stores { // what is acknowledged is seen by all
			other := *b
			other.Store = s
			if err := other.want(ctx, "k", value); err != nil {
				return err
			}
		}
	}
	return b.wantNone(ctx, "k2")
}

func keepsBytes(ctx context.Context, b *bench) error {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, value := range map[string]string{
		"bytes": string(all), "large": strings.Repeat(`{"a": 1,  "a":2}`, 20_000), "Straße %2F\\'\"\x01": " x\n", "\xff\xfe": "not UTF-8",
	} {
		if err := b.put(ctx, name, value); err != nil {
			return err
		}
		if err := b.want(ctx, name, value); err != nil {
			return fmt.Errorf("%.200w", err)
		}
	}
	// What f is given is its own to change.
	err := b.Change(ctx, b.key("bytes"), func(_ fleet.Moment, old []byte) ([]byte, error) {
		clear(old)
		return nil, errMine
	})
	if err != errMine {
		return err
	}
	return b.want(ctx, "bytes", string(all))
}

var errMine = errors.New("an error of the change's own")

func refuses(ctx context.Context, b *bench) error {
	if err := b.put(ctx, "k", "1"); err != nil {
		return err
	}
	for _, next := range [][]byte{nil, []byte("2")} {
		for _, name := range []string{"k", "none"} {
			err := b.Change(ctx, b.key(name), func(fleet.Moment, []byte) ([]byte, error) { return next, errMine })
			if err != errMine {
				return fmt.Errorf("the error of f came back as %w", err)
			}
		}
	}
	return errors.Join(b.want(ctx, "k", "1"), b.wantNone(ctx, "none"))
}

func deletes(ctx context.Context, b *bench) error {
	none := func(fleet.Moment, []byte) ([]byte, error) { return nil, nil }
	if err := errors.Join(b.put(ctx, "k", "1"), b.Change(ctx, b.key("k"), none), b.wantNone(ctx, "k")); err != nil {
		return err
	}
	if err := errors.Join(b.Change(ctx, b.key("k"), none), b.put(ctx, "empty", ""), b.want(ctx, "empty", "")); err != nil {
		return err
	}
	return b.Load(ctx, func(key string, _ []byte) error {
		if key != b.key("empty") {
			return fmt.Errorf("%s is there", key)
		}
		return nil
	}, b.place)
}

// parallel runs f for each store, a few times at once.
func (b *bench) parallel(times int, f func(s fleet.Store, n int) error) error {
	var all sync.WaitGroup
	errs := make([]error, times*len(b.stores))
	for n := range errs {
		all.Go(func() { errs[n] = f(b.stores[n%len(b.stores)], n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// atOnce: no change gets lost among others.
func atOnce(ctx context.Context, b *bench) error {
	const each = 20
	err := b.parallel(3, func(s fleet.Store, _ int) error {
		for range each {
			if err := s.Change(ctx, b.key("n"), func(_ fleet.Moment, old []byte) ([]byte, error) {
				n, _ := strconv.Atoi(string(old))
				return strconv.AppendInt(nil, int64(n+1), 10), nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, b.want(ctx, "n", strconv.Itoa(3*each*len(b.stores))))
}

// comesAndGoes: neither does one of a key that is there and not there by turns.
func comesAndGoes(ctx context.Context, b *bench) error {
	const each = 10
	var mu sync.Mutex
	came, gone := 0, 0
	err := b.parallel(2, func(s fleet.Store, _ int) error {
		for range each {
			var was bool
			if err := s.Change(ctx, b.key("n"), func(_ fleet.Moment, old []byte) ([]byte, error) {
				if was = old != nil; was {
					return nil, nil
				}
				return []byte{}, nil
			}); err != nil {
				return err
			}
			mu.Lock()
			if was {
				gone++
			} else {
				came++
			}
			mu.Unlock()
		}
		return nil
	})
	if want := each * len(b.stores); err == nil && (came != want || gone != want) {
		err = fmt.Errorf("came %d times and went %d times, want %d of both", came, gone, want)
	}
	return errors.Join(err, b.wantNone(ctx, "n"))
}

// cancelled: whenever a change's context ends, what is said of it is true.
func cancelled(ctx context.Context, b *bench) error {
	for n := range 40 {
		own, cancel := context.WithCancel(ctx)
		switch n % 4 {
		case 0:
			cancel()
		case 1, 2:
			time.AfterFunc(time.Duration(n)*50*time.Microsecond, cancel)
		}
		name := fmt.Sprint(n)
		err := b.Change(own, b.key(name), func(fleet.Moment, []byte) ([]byte, error) {
			if n%4 == 3 {
				cancel()
			}
			return []byte("x"), nil
		})
		ended := own.Err() != nil
		cancel()
		_, there, getErr := b.get(ctx, name)
		switch {
		case getErr != nil:
			return getErr
		case err == nil && !there:
			return errors.New("a change was acknowledged and is not there")
		case err == nil:
		case !ended:
			return err
		case errors.Is(err, fleet.ErrAway) && !errors.Is(err, fleet.ErrUnknown) && there:
			return fmt.Errorf("a change is there, of which was said that it was not made: %w", err)
		case !errors.Is(err, fleet.ErrAway) && !errors.Is(err, fleet.ErrUnknown):
			return fmt.Errorf("neither away nor unknown: %w", err)
		}
	}
	return nil
}

// moments: there is one clock, and one line.
func moments(ctx context.Context, b *bench) error {
	var last fleet.Moment
	for n := range 20 {
		var at fleet.Moment
		if err := b.stores[n%len(b.stores)].Change(ctx, b.key("k"), func(m fleet.Moment, _ []byte) ([]byte, error) {
			at = m
			return []byte("x"), nil
		}); err != nil {
			return err
		}
		switch {
		case at.Now.IsZero():
			return errors.New("the store says no time")
		case n > 0 && at.Now.Before(last.Now):
			return fmt.Errorf("time goes back from %s to %s", last.Now, at.Now)
		case n > 0 && at.Line != last.Line:
			return fmt.Errorf("the line was %q and is %q, and nothing has happened", last.Line, at.Line)
		}
		last = at
	}
	return nil
}

// loads: each key once, in order, by name and by what they begin with.
func loads(ctx context.Context, b *bench) error {
	for _, name := range []string{"a/2", "a/1", "a/1/x", "a/\xff", "a/ö", "a", "a0", "a-", "b/1"} {
		if err := b.put(ctx, name, "of "+name); err != nil {
			return err
		}
	}
	for _, c := range []struct{ keys, want string }{
		{"", ""},
		{"a/", "a/1 a/1/x a/2 a/ö a/\xff"},
		{"a", "a"},
		{"a/1", "a/1"},
		{"b/1 a none a/ a/1", "a a/1 a/1/x a/2 a/ö a/\xff b/1"},
		{"none none/ c/", ""},
	} {
		var keys, got []string
		for k := range strings.FieldsSeq(c.keys) {
			keys = append(keys, b.key(k))
		}
		err := b.Load(ctx, func(key string, value []byte) error {
			name := strings.TrimPrefix(key, b.place)
			if string(value) != "of "+name {
				return fmt.Errorf("%s has %q", name, value)
			}
			got = append(got, name)
			return nil
		}, keys...)
		if err != nil {
			return err
		}
		if !slices.Equal(got, strings.Fields(c.want)) {
			return fmt.Errorf("%q gives %q, want %q", c.keys, got, c.want)
		}
	}
	calls := 0
	err := b.Load(ctx, func(string, []byte) error { calls++; return errMine }, b.key("a/"))
	if !errors.Is(err, errMine) || calls != 1 {
		return fmt.Errorf("%d calls after an error, which came back as %w", calls-1, err)
	}
	return nil
}
