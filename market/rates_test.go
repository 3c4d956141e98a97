package market

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// storeOfRates is as much of a fleet's store as rates and purchases need.
type storeOfRates struct {
	fleet.Store
	mu     sync.Mutex
	values map[string][]byte
	away   bool
}

func (s *storeOfRates) Load(_ context.Context, yield func(string, []byte) error, keys ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return fleet.ErrAway
	}
	for _, k := range slices.Sorted(maps.Keys(s.values)) {
		if slices.ContainsFunc(keys, func(want string) bool { return k == want || strings.HasSuffix(want, "/") && strings.HasPrefix(k, want) }) {
			if err := yield(k, s.values[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *storeOfRates) Change(_ context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return fleet.ErrAway
	}
	next, err := f(fleet.Moment{Now: time.Now()}, s.values[key])
	if err == nil {
		s.values[key] = next
	}
	return err
}

// A member and its group are held to their rates over all gateways, and what the group refuses counts for neither.
func TestRatesOfAFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &storeOfRates{values: make(map[string][]byte)}
		var gateways []Rates
		for _, id := range []string{"one", "two", "three"} {
			r := fleet.NewRates(fleet.RatesOptions{Store: store, Gateway: id, Boot: id})
			r.Start()
			defer r.Close()
			gateways = append(gateways, fleetRates{r})
		}
		rate := func(n int) member.Bounds { return member.Bounds{Rate: member.Rate{Requests: n, Per: time.Minute}} }
		build := &member.Group{Name: "build", Bounds: rate(3)}
		ada := &member.Member{Name: "ada", Limits: member.Limits{Bounds: rate(2)}, Group: build}
		bob := &member.Member{Name: "bob", Group: build}
		eve := &member.Member{Name: "build", Limits: member.Limits{Bounds: rate(1)}} // whose name is the group's
		for i, step := range []struct {
			member *member.Member
			want   time.Duration
		}{
			{bob, 0}, {bob, 0}, {ada, 0}, {ada, 20 * time.Second}, {bob, 20 * time.Second}, {eve, 0}, {ada, 20 * time.Second},
		} {
			var after time.Duration
			err := gateways[i%3].Allow(step.member, time.Time{})
			if refused, ok := errors.AsType[*RateError](err); ok {
				after = refused.After
			}
			if after != step.want || (err == nil) != (step.want == 0) || errors.Is(err, fleet.ErrAway) {
				t.Errorf("step %d, %s: %v; want %s", i, step.member.Name, err, step.want)
			}
			synctest.Wait()
		}
		time.Sleep(20 * time.Second)
		if err := gateways[1].Allow(ada, time.Time{}); err != nil {
			t.Errorf("what the group has refused counts against ada: %v", err)
		}
		if err := gateways[2].AllowCount(ada, time.Time{}); err != nil {
			t.Errorf("counting tokens takes from requests: %v", err)
		}
	})
}
