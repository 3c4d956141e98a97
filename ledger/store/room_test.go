package store

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestRoom fills a disk and empties it: nothing may be sent or bought meanwhile, and it goes on by itself.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 100 << 30
		var free atomic.Int64
		free.Store(50 << 30)
		blind := errors.New("not known")
		core, logs := observer.New(zap.DebugLevel)
		room := WatchRoom("d", func(string) (uint64, uint64, error) {
			if free.Load() < 0 {
				return 0, 0, blind
			}
			return uint64(free.Load()), size, nil
		}, zap.New(core))
		defer room.Close()
		for _, step := range []struct {
			free int64
			full bool
			log  string // what is said once about it, however long it lasts
		}{
			{50 << 30, false, ""},
			{4 << 30, false, "ledger.disk.low"},
			{5<<30 + 1, false, ""},
			{minRoom, false, ""},
			{minRoom - 1, true, "ledger.disk.full"},
			{0, true, ""},
			{minRoom, false, "ledger.disk.recovered"},
			{50 << 30, false, ""},
			{0, true, "ledger.disk.full ledger.disk.low"},
			{-1, false, "ledger.disk.unknown"},
			{50 << 30, false, ""},
		} {
			free.Store(step.free)
			time.Sleep(10 * roomEvery)
			synctest.Wait()
			var said []string
			for _, e := range logs.TakeAll() {
				said = append(said, e.Message)
			}
			if got := strings.Join(said, " "); got != step.log {
				t.Errorf("%d bytes free: logged %q, want %q", step.free, got, step.log)
			}
			if err := room.Err(); errors.Is(err, ErrNoRoom) != step.full || (err != nil) != step.full {
				t.Errorf("%d bytes free: ready: %v", step.free, err)
			}
		}
	})
}

// TestDiskSpace asks the system.
func TestDiskSpace(t *testing.T) {
	free, size, err := diskSpace(t.TempDir())
	if err != nil || free == 0 || size < free {
		t.Errorf("%d of %d bytes free, %v", free, size, err)
	}
	if _, _, err := diskSpace("/nowhere/to/be/found"); err == nil {
		t.Error("a directory that is not there has space")
	}
}
