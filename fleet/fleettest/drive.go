// Package fleettest has what tests of a fleet need: what every store has to pass, a store in memory that fails as engines do, and a load.
package fleettest

import (
	"context"
	"sync"
	"time"
)

// Outcome is what has come of a request.
type Outcome int

// The outcomes of requests.
const (
	Served  Outcome = iota
	Refused         // there was no money for it
	Away            // the store could not be asked
	Failed          // anything else
)

// Counts are requests by outcome.
type Counts [Failed + 1]int

// Drive has workers call ask, each one call after another, until ctx has ended or nobody was served for as long as patience, while the store
// could be asked; zero: as long as ctx. Who is not served comes again after a while.
func Drive(ctx context.Context, workers int, patience, again time.Duration, ask func(ctx context.Context, worker int) Outcome) Counts {
	var mu sync.Mutex
	var counts Counts
	last := time.Now()
	note := func(o Outcome) (goOn bool) {
		mu.Lock()
		defer mu.Unlock()
		counts[o]++
		if o == Served || o == Away {
			last = time.Now()
		}
		return patience <= 0 || time.Since(last) < patience
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				o := ask(ctx, w)
				if !note(o) {
					return
				}
				if o == Served {
					continue
				}
				select {
				case <-ctx.Done():
				case <-time.After(again):
				}
			}
		})
	}
	all.Wait()
	return counts
}
