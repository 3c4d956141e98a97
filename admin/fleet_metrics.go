package admin

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// fleetCounters are what a fleet counts since its ledger was opened.
var fleetCounters = []struct {
	desc *prometheus.Desc
	of   func(*fleet.State) int64
}{
	{gauge("fleet_changes_total", "Changes of the fleet's store that this gateway has made.", "ledger"), func(s *fleet.State) int64 { return s.Changes }},
	{gauge("fleet_conflicts_total", "Changes that had to be made again, as another gateway was quicker.", "ledger"), func(s *fleet.State) int64 { return s.Conflicts }},
	{gauge("fleet_unknown_total", "Changes of which it was not known at once whether they were made.", "ledger"), func(s *fleet.State) int64 { return s.Unknown }},
	{gauge("fleet_forgotten_total", "Acknowledged changes that the store had forgotten, and that were mended.", "ledger"), func(s *fleet.State) int64 { return s.Forgotten }},
	{gauge("fleet_waits_total", "Requests that have waited for a part of a budget.", "ledger"), func(s *fleet.State) int64 { return s.Waits }},
	{gauge("fleet_refused_away_total", "Requests that were refused as the store was away and nothing was set aside.", "ledger"), func(s *fleet.State) int64 { return s.RefusedAway }},
}

// fleet gathers how a gateway's part of a fleet stands.
func (s sight) fleet(m *market.Market) {
	if m.Fleet == nil {
		return
	}
	dir, state := m.Dir(), m.Fleet.State()
	s.set(fleetStoreUp, oneIf(state.StoreUp), dir)
	s.set(fleetFenced, oneIf(state.Fenced), dir)
	s.set(fleetStranded, float64(state.StrandedMicros), dir)
	s.set(fleetLag, m.Fleet.ShipLag().Seconds(), dir)
	if m.Fleet.Tokens != nil {
		for id, sums := range m.Fleet.Tokens.Seen() {
			seller := presetSeller(id)
			s.add(fleetTokens, float64(sums.Own), dir, seller, "own")
			s.add(fleetTokens, float64(sums.Others), dir, seller, "others")
			s.add(fleetTokens, float64(sums.Free), dir, seller, "free")
		}
	}
	for _, c := range fleetCounters {
		s.counters[seriesOf(c.desc, []string{dir})] = float64(c.of(&state))
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
