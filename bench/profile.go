package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// takeProfile has the target profile itself while it is loaded, and gives a function that waits for the profile and writes it.
func (b *bench) takeProfile(t *target, l load) (wait func()) {
	var done sync.WaitGroup
	done.Go(func() {
		if err := pause(b.ctx, b.warm); err != nil {
			return
		}
		profile, err := t.ask(b.ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(b.measure.Seconds()))))
		if err == nil {
			err = os.WriteFile(b.profileOf(l), profile, 0o600)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: profile of %s: %v\n", l.name, err)
		}
	})
	return done.Wait
}

// profileOf is where the profile of a case is.
func (b *bench) profileOf(l load) string { return filepath.Join(b.profile, l.name+".pprof") }
