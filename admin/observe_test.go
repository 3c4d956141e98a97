package admin

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestCorrectable: what was counted too much is taken from what is counted next, as a counter does not go down.
func TestCorrectable(t *testing.T) {
	for name, c := range map[string]struct {
		counter *correctable
		observe func(seller string, micros money.Micros)
	}{
		"wasted":           {wasted, ObserveWaste},
		"billed":           {billed, func(seller string, micros money.Micros) { ObserveBilled("ada", "m", seller, micros) }},
		"billed by member": {billedByMember, func(who string, micros money.Micros) { ObserveBilled(who, "m", "all", micros) }},
		"billed by seller": {billedBySeller, func(seller string, micros money.Micros) { ObserveBilled("bob", "m", seller, micros) }},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			if err := registry.Register(c.counter); err != nil {
				t.Fatal(err)
			}
			counted := func(who string) float64 {
				families, err := registry.Gather()
				if err != nil || len(families) != 1 {
					t.Fatal(len(families), err)
				}
				for _, m := range families[0].GetMetric() {
					for _, l := range m.GetLabel() {
						if l.GetValue() == who {
							return m.GetCounter().GetValue()
						}
					}
				}
				return -1
			}
			one, another := "one "+name, "another "+name
			for i, row := range []struct{ micros, counted money.Micros }{
				{10, 10}, {-4, 10}, {-3, 10}, {0, 10}, {5, 10}, {6, 14}, {1, 15}, {-20, 15}, {20, 15}, {2, 17}, {-1, 17},
			} {
				if c.observe(one, row.micros); counted(one) != float64(row.counted) {
					t.Errorf("step %d: %v are counted, want %d", i, counted(one), row.counted)
				}
			}
			if c.observe(another, 3); counted(another) != 3 {
				t.Errorf("of another %v are counted", counted(another))
			}
		})
	}
}
