package admin

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestObserveWaste: what was not lost after all is taken from what is lost next, as a counter does not go down.
func TestObserveWaste(t *testing.T) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(wasted); err != nil {
		t.Fatal(err)
	}
	counted := func(seller string) float64 {
		families, err := registry.Gather()
		if err != nil || len(families) != 1 {
			t.Fatal(len(families), err)
		}
		for _, m := range families[0].GetMetric() {
			if m.GetLabel()[0].GetValue() == seller {
				return m.GetCounter().GetValue()
			}
		}
		return -1
	}
	for i, c := range []struct{ lost, counted money.Micros }{{10, 10}, {-4, 10}, {-3, 10}, {0, 10}, {5, 10}, {6, 14}, {1, 15}, {-20, 15}, {20, 15}, {2, 17}} {
		if ObserveWaste("waster", c.lost); counted("waster") != float64(c.counted) {
			t.Errorf("step %d: %v are counted, want %d", i, counted("waster"), c.counted)
		}
	}
	if ObserveWaste("another", 3); counted("another") != 3 {
		t.Errorf("of another seller %v are counted", counted("another"))
	}
}
