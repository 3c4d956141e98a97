package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestManyAtOnce lets requests write while the books are read and verified, and loses none of them.
func TestManyAtOnce(t *testing.T) {
	const callers, each = 32, 25
	l := open(t, ledger.Options{Dir: t.TempDir()})
	for i := range 4 {
		buy(t, l, fmt.Sprint("t", i), "acme", 1_000_000)
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		for ctx.Err() == nil {
			if r, err := l.Verify(ctx); err == nil && !r.OK || err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("verify while others write: %+v, %v", r, err)
			}
		}
	})
	readers.Go(func() {
		for ctx.Err() == nil {
			if _, err := l.Summary(ctx, time.Time{}, time.Time{}, "member"); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("summary while others write: %v", err)
			}
			l.Tokens()
			l.Spent()
		}
	})
	for c := range callers {
		writers.Go(func() {
			for i := range each {
				h := hold(fmt.Sprint(c, "-", i), "acme", fmt.Sprint("t", c%4))
				placed := l.PlaceHold(h)
				if _, err := l.Settle(inference(h, 100)).Wait(context.Background()); err != nil || placed.Wait(ctx) != nil {
					t.Errorf("settle: %v", err)
				}
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
	r := mustVerify(t, l)
	if want := uint64(4*2 + callers*each); r.Entries != want {
		t.Errorf("%d entries, want %d", r.Entries, want)
	}
	for _, token := range l.Tokens() {
		if token.BalanceMicros != 1_000_000-callers*each/4*100 || token.Used != callers*each/4 {
			t.Errorf("token %s has %d left after %d requests", token.ID, token.BalanceMicros, token.Used)
		}
	}
}

// TestCloseUnderLoad closes the ledger under those who write and read: each gets an answer, and what was acknowledged is
// there afterwards.
func TestCloseUnderLoad(t *testing.T) {
	dir := t.TempDir()
	l := open(t, ledger.Options{Dir: dir})
	buy(t, l, "t", "acme", money.USD)
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	busy := make(chan struct{}, 16)
	for c := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				in := inference(hold(fmt.Sprint(c, "-", i), "acme", "t"), 1)
				in.HoldID = ""
				_, err := l.Settle(in).Wait(context.Background())
				if errors.Is(err, ledger.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("settle: %v", err)
					return
				}
				acknowledged.Add(1)
				if i == 10 {
					busy <- struct{}{}
				}
			}
		})
	}
	wg.Go(func() {
		for {
			if _, err := l.Verify(context.Background()); errors.Is(err, ledger.ErrClosed) {
				return
			} else if err != nil {
				t.Errorf("verify: %v", err)
				return
			}
		}
	})
	for range 8 {
		<-busy
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	r := mustVerify(t, open(t, ledger.Options{Dir: dir}))
	if want := uint64(acknowledged.Load()) + 2; r.Entries != want {
		t.Errorf("%d entries, %d were acknowledged", r.Entries, want)
	}
}

// TestLateSettlementIsSynced: what was told before its sync is synced soon, also where nothing comes after it.
func TestLateSettlementIsSynced(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("each commit is synced by itself here")
	}
	syncs := make(chan time.Duration, 100)
	l := open(t, ledger.Options{Dir: t.TempDir(), Observe: func(took time.Duration) { syncs <- took }})
	buy(t, l, "t1", "acme", money.USD)
	h := hold("h1", "acme", "t1")
	if err := l.PlaceHold(h).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(syncs) > 0 {
		<-syncs
	}
	if _, err := l.Settle(inference(h, 10)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-syncs
}

// BenchmarkDurable compares a hold and its settlement, both durable, with two plain transactions that write as many bytes
// into a store with the same options. It is about the ratio: the disk sets the numbers.
func BenchmarkDurable(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("hold-and-settle/callers=%d", callers), func(b *testing.B) {
			var syncs atomic.Int64
			l := open(b, ledger.Options{Dir: b.TempDir(), Observe: func(time.Duration) { syncs.Add(1) }})
			buy(b, l, "t", "acme", money.Max)
			syncs.Store(0)
			share(b, callers, func(n int64) error {
				h := realHold(int(n), "t")
				if err := l.PlaceHold(h).Wait(context.Background()); err != nil {
					return err
				}
				_, err := l.Settle(realInference(h)).Wait(context.Background())
				return err
			})
			b.ReportMetric(float64(2*b.N)/float64(syncs.Load()), "commands/sync")
		})
		b.Run(fmt.Sprintf("plain-update/callers=%d", callers), func(b *testing.B) {
			hold, entry := sizes(b)
			db, err := badger.Open(ledger.StoreOptions(b.TempDir()))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			share(b, callers, func(n int64) error {
				for key, size := range map[string]int{"hold": hold, "entry": entry} {
					err := db.Update(func(txn *badger.Txn) error { return txn.Set(fmt.Append(nil, key, n), make([]byte, size)) })
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// sizes gives the length of a hold's record and of an entry.
func sizes(b *testing.B) (hold, entry int) {
	l := open(b, ledger.Options{InMemory: true})
	buy(b, l, "t", "acme", money.Max)
	h := realHold(0, "t")
	raw, err := json.Marshal(h)
	if err != nil {
		b.Fatal(err)
	}
	hold = len(raw)
	h.ID = ""
	booked, err := l.Settle(realInference(h)).Wait(context.Background())
	if err == nil {
		raw, err = json.Marshal(booked.Entry)
	}
	if err != nil {
		b.Fatal(err)
	}
	return hold, len(raw)
}

// share spreads b.N calls over callers.
func share(b *testing.B, callers int, f func(n int64) error) {
	b.ReportAllocs()
	b.ResetTimer()
	var n atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
