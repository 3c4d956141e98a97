package gateway

import (
	"fmt"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// What is probed beside the pool is others alone, in each sweep, or nobody would learn of them while the turn is the pool's.
func TestSampleIsBesideThePool(t *testing.T) {
	model, err := routing.NewModel("m", money.Price{Input: 1, Output: 1, CacheRead: money.Unknown})
	if err != nil {
		t.Fatal(err)
	}
	var pinned []*routing.Seller
	for i := range routing.MaxReady + 10 {
		s, err := routing.NewPinned(routing.Pin{
			ID: fmt.Sprintf("seller-%d", i), URL: fmt.Sprintf("https://seller-%d.example", i), Models: []routing.Model{model},
		})
		if err != nil {
			t.Fatal(err)
		}
		pinned = append(pinned, s)
	}
	policy, err := routing.NewPolicy("default_first")
	if err != nil {
		t.Fatal(err)
	}
	c := catalogue{&Gateway{table: routing.NewTable(routing.TableOptions{
		Pinned: pinned, Methods: []string{"mock"}, Policy: policy, Pool: routing.NewPool(routing.PoolOptions{}), Exclusions: routing.NewExclusions(100),
	})}}
	inPool := make(map[string]bool)
	for _, s := range c.Pool("m", dialect.Messages) {
		inPool[s.ID] = true
	}
	if len(inPool) != routing.MaxReady {
		t.Fatalf("%d in the pool", len(inPool))
	}
	sampled := make(map[string]bool)
	for sweep := range 2 { // what is sampled goes round among the others alone: nobody has a second turn before all have had one
		sample := c.Sample("m", dialect.Messages, 8*sweep, 8)
		if len(sample) != 8 {
			t.Errorf("sweep %d has %d beside the pool", sweep, len(sample))
		}
		for _, s := range sample {
			if sampled[s.ID] = true; inPool[s.ID] {
				t.Errorf("sweep %d: %s is in the pool", sweep, s.ID)
			}
		}
	}
	if len(sampled) != 10 {
		t.Errorf("%d of 10 others had their turn", len(sampled))
	}
	if n := len(c.Sample("m", dialect.Messages, 3, 50)); n != 10 {
		t.Errorf("%d others where all are asked for", n)
	}
}
