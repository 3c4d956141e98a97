package ledger_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// BenchmarkArchive moves a month of so many inferences into a file, while one client goes on to hold and settle: what that takes on the
// disk, which memory it needs at the most, and what the client's holds wait.
func BenchmarkArchive(b *testing.B) {
	for _, n := range []int{30_000, 300_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "ledger")
			c := &clock{now: moment("2026-01-15T12:00:00Z")}
			l := open(b, ledger.Options{Dir: dir, Now: c.read})
			buy(b, l, "t", "acme", money.Max)
			settleMany(b, l, n)
			c.set(moment("2026-02-15T12:00:00Z"))
			settleMany(b, l, 1)
			quiet := holds(b, l, 500, nil)
			before := onDisk(b, dir)
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			base, peak := m.HeapInuse, uint64(0)
			began, done := time.Now(), make(chan struct{})
			var archived ledger.Archived
			go func() {
				defer close(done)
				var err error
				archived, err = l.Archive(b.Context(), moment("2026-02-01T00:00:00Z"), "", func(done, _ uint64) {
					if done%(64*progressStep) == 0 {
						runtime.ReadMemStats(&m)
						peak = max(peak, m.HeapInuse)
					}
				})
				if err != nil {
					b.Error(err)
				}
			}()
			busy := holds(b, l, 0, done)
			took := time.Since(began)
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
			b.Logf("%d entries: %s; store %d MiB before, %d MiB after; file %.1f MiB; heap in use %d MiB before, %d MiB at the most; "+
				"a hold's p50 %s and p99 %s before, %s and %s meanwhile", n, took.Round(time.Millisecond), before>>20, onDisk(b, dir)>>20,
				float64(archived.Bytes)/(1<<20), base>>20, peak>>20, quiet[len(quiet)/2], quiet[len(quiet)*99/100], busy[len(busy)/2], busy[len(busy)*99/100])
		})
	}
}

const progressStep = 256

// holds places holds and settles them, one after the other, and gives how long each took to be durable, sorted: n of them, or until done.
func holds(b *testing.B, l *ledger.Ledger, n int, done chan struct{}) (took []time.Duration) {
	for i := 0; n == 0 || i < n; i++ {
		select {
		case <-done:
			slices.Sort(took)
			return took
		default:
		}
		h := realHold(i, "t")
		began := time.Now()
		if err := l.PlaceHold(h).Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		if _, err := l.Settle(realInference(h)).Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	return took
}
