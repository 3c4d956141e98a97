package e2e

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// summarize says what there was to be seen.
func (b *bank) summarize() {
	kills := 0
	for _, n := range b.kills {
		kills += n
	}
	b.t.Logf("%d kills in %s, and %d while it started; by point:", kills, time.Since(b.begun).Round(time.Second), b.early)
	for _, point := range slices.Sorted(maps.Keys(b.kills)) {
		b.t.Logf("  %4d %s", b.kills[point], point)
	}
	b.t.Logf("%d requests: %v", len(b.clients.sent), b.clients.counts)
	b.t.Logf("%d entries of requests, %d of them of holds that a dead process had left; %d entries put estimates right",
		len(b.books.requests), b.books.recovered, b.books.righted)
	var paid, payments, bought, left, wasted int64
	for _, p := range b.rail.payments {
		payments += int64(min(1, p.paid))
		paid += p.micros * int64(p.paid)
	}
	for _, p := range b.books.purchases {
		bought += p.granted
		left += p.credit
	}
	accounts := b.caddy.balances()
	sum := func(kind string) (micros int64) {
		for name, balance := range accounts {
			if strings.HasPrefix(name, kind+":") {
				micros += balance
			}
		}
		return micros
	}
	wasted = sum("waste")
	b.t.Logf("%d purchases asked for, %d paid by the rail, %d found open by a start and gone on with by it", len(b.rail.payments), payments, b.resumed)
	b.t.Logf("micros: paid by the rail %d, wallet %d, bought %d, spent %d, wasted %d, disputed %d, adjusted %d, left %d",
		paid, -sum("wallet"), bought, sum("expense"), wasted, sum("disputed"), sum("adjustment"), left)
	b.t.Logf("%d tokens have the balance that their seller has, %d have less of what was given beyond the price, %d could not pay for a "+
		"request at the end: their sellers have %d on those", b.quiet.alike, b.quiet.above, b.quiet.untouched, b.quiet.lost)
	b.t.Logf("%d requests for which the sellers' books and ours are alike; by why they need not be, what sellers took beyond ours:", b.books.alike)
	for _, why := range slices.Sorted(maps.Keys(b.books.unlike)) {
		b.t.Logf("  %6d %s", b.books.unlike[why], why)
	}
}
