package page

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
)

// What a look costs, of which there is one every two seconds while somebody watches: fifty members, and a memory that is full.
func BenchmarkLook(b *testing.B) {
	b.Setenv("XDG_DATA_HOME", b.TempDir())
	m, err := market.Open(market.Options{Dir: filepath.Join(b.TempDir(), "books"), Key: make([]byte, 32)})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Release()
	bounds := member.Unbound
	bounds.DailyBudget, bounds.MonthlyBudget = 5_000_000, 60_000_000
	var team member.Team
	for i := range 50 {
		team.Members = append(team.Members, member.Config{Name: fmt.Sprint("member-", i), Limits: member.Limits{Bounds: bounds}})
	}
	directory, err := member.NewDirectory(team)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Orders.HoldTeam(func() *member.Directory { return directory })()
	for i := range 10_000 {
		m.Recent.Add(&recent.Request{
			RequestID: fmt.Sprint(i), Member: fmt.Sprint("member-", i%50), Model: "m", Ended: time.Now(), Outcome: "ok", TimeToFirstByteMs: int64(i),
			Attempts: []recent.Attempt{{Number: 1, Seller: "acme", Kind: "soft_5xx"}, {Number: 2, Seller: "bolt", Kind: "ok"}},
		})
	}
	look, size := lookAt(b.Context()), 0
	for b.Loop() {
		raw, err := json.Marshal(look(m))
		if err != nil {
			b.Fatal(err)
		}
		size = len(raw)
	}
	b.ReportMetric(float64(size), "bytes")
}
