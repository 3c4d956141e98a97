package admin

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// inspected is a store that says how it is set up, by a clock of its own.
type inspected struct {
	fleet.Store
	ahead time.Duration
	fails error
}

func (s inspected) Inspect(context.Context) (fleet.Condition, error) {
	return fleet.Condition{Engine: "one of tests", Now: time.Now().Add(s.ahead), Standbys: 2, Synchronous: true, Weak: []string{"fsync is off"}}, s.fails
}

// What an engine says of itself is told as it is, and its clock is held against ours as far as that can be known.
func TestEngineOf(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		e := engineOf(t.Context(), inspected{ahead: ahead})
		if e == nil || e.Name != "one of tests" || e.Standbys != 2 || !e.Synchronous || e.Quorum || len(e.Weak) != 1 || e.Error != "" {
			t.Fatalf("%+v", e)
		}
		if off := e.ClockAheadSeconds - ahead.Seconds(); off > 60 || off < -60 || ahead == 0 && e.ClockAheadSeconds != 0 {
			t.Errorf("a clock that is %s ahead is %f seconds", ahead, e.ClockAheadSeconds)
		}
	}
	if e := engineOf(t.Context(), inspected{fails: errors.New("no right to ask")}); e == nil || e.Error != "no right to ask" || e.Name != "" {
		t.Errorf("%+v", e)
	}
	if e := engineOf(t.Context(), inspected{}.Store); e != nil {
		t.Errorf("a store that says nothing: %+v", e)
	}
}
