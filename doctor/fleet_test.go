package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

// Each thing that is wrong with a fleet is one finding, and a fleet that is well has none.
func TestDoctorOfFleet(t *testing.T) {
	seen := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		spoil func(f *admin.Fleet)
		wrong bool
		what  []string
	}{
		"well":           {spoil: func(*admin.Fleet) {}},
		"quorum":         {spoil: func(f *admin.Fleet) { f.Engine = &admin.FleetEngine{Quorum: true} }},
		"not known":      {spoil: func(f *admin.Fleet) { f.Engine = nil }},
		"away":           {func(f *admin.Fleet) { f.Here.StoreUp, f.Here.StoreError = false, "no answer in time" }, true, []string{"is away: no answer in time."}},
		"away and late":  {func(f *admin.Fleet) { f.Here.StoreUp, f.Here.LagSeconds = false, 100 }, true, []string{"is away."}},
		"fenced":         {func(f *admin.Fleet) { f.Here.Fenced = true }, true, []string{"fenced"}},
		"a little late":  {spoil: func(f *admin.Fleet) { f.Here.LagSeconds = 60 }},
		"late":           {func(f *admin.Fleet) { f.Here.LagSeconds, f.Here.Shipped, f.Here.Entries = 180, 7, 9 }, true, []string{"3 minutes", "7 of 9"}},
		"not asked":      {func(f *admin.Fleet) { f.Engine.Error = "no right to ask" }, false, []string{"no right to ask"}},
		"asynchronous":   {func(f *admin.Fleet) { f.Engine.Synchronous = false }, false, []string{"asynchronous"}},
		"alone":          {func(f *admin.Fleet) { f.Engine.Synchronous, f.Engine.Standbys = false, 0 }, false, []string{"no standby"}},
		"waits":          {func(f *admin.Fleet) { f.Engine.Standbys = 0 }, true, []string{"none follows it"}},
		"weak":           {func(f *admin.Fleet) { f.Engine.Weak = []string{"fsync is off"} }, true, []string{"fsync is off"}},
		"a little ahead": {spoil: func(f *admin.Fleet) { f.Engine.ClockAheadSeconds = 5 }},
		"ahead":          {func(f *admin.Fleet) { f.Engine.ClockAheadSeconds = 7.4 }, true, []string{"7 seconds ahead of"}},
		"behind":         {func(f *admin.Fleet) { f.Engine.ClockAheadSeconds = -3600 }, true, []string{"3600 seconds behind"}},
		"silent": {func(f *admin.Fleet) {
			f.Gateways[1].Silent, f.Gateways[1].Seen, f.Gateways[1].StrandedMicros = true, seen.Add(-4*time.Minute), 2_500_000
		}, true, []string{"Gateway eu-2", "4 minutes", " 2.50 dollars", "fleet forget two"}},
		"differs":                {func(f *admin.Fleet) { f.Gateways[1].Digest = "another" }, true, []string{"others than in this one's: eu-2."}},
		"differed, and left":     {spoil: func(f *admin.Fleet) { f.Gateways[1].Digest, f.Gateways[1].Left = "another", true }},
		"silent, without a name": {func(f *admin.Fleet) { f.Gateways[1].Silent, f.Gateways[1].Name = true, "" }, true, []string{"Gateway two"}},
	} {
		f := &admin.Fleet{
			Status: fleet.Status{Gateways: []fleet.GatewayStatus{
				{Gateway: "one", Beat: fleet.Beat{Name: "eu-1", Seen: seen, Digest: "one"}, Self: true, StrandedMicros: money.USD},
				{Gateway: "two", Beat: fleet.Beat{Name: "eu-2", Seen: seen.Add(-time.Second), Digest: "one"}, StrandedMicros: money.USD},
			}},
			Here:   admin.FleetHere{Gateway: "one", StoreUp: true, Entries: 9, Shipped: 9},
			Engine: &admin.FleetEngine{Standbys: 1, Synchronous: true},
		}
		c.spoil(f)
		d := New()
		d.Fleet(f)
		switch {
		case len(c.what) == 0 && len(d.Findings) == 0:
		case len(c.what) == 0 || len(d.Findings) != 1 || d.Findings[0].Wrong != c.wrong || d.OK == c.wrong:
			t.Errorf("%s: %+v", name, d)
		default:
			for _, what := range c.what {
				if !strings.Contains(d.Findings[0].What+" "+d.Findings[0].Todo, what) {
					t.Errorf("%s: not said is %q: %+v", name, what, d.Findings[0])
				}
			}
		}
	}
	if d := New(); d.OK {
		if d.Fleet(nil); len(d.Findings) > 0 {
			t.Errorf("a gateway that is in no fleet: %+v", d.Findings)
		}
	}
}

// The session of purchases begins anew by an operator's word in a fleet, and by a start without one.
func TestDoctorOfSession(t *testing.T) {
	for _, tt := range []struct {
		fleet *admin.FleetHere
		again string
	}{{nil, "when the process starts again"}, {new(admin.FleetHere), "fleet session new"}} {
		s := &admin.Status{Fleet: tt.fleet, Ledger: admin.LedgerStatus{OK: true}}
		s.Credit.SessionMicros, s.Credit.SessionLimit = 95, new(money.Micros(100))
		d := New()
		d.Gateway(s, time.Now())
		if len(d.Findings) != 1 || !strings.Contains(d.Findings[0].Todo, tt.again) {
			t.Errorf("not %q: %+v", tt.again, d.Findings)
		}
	}
}

// A limit that has room for a purchase only in what other gateways have set aside for an outage is named, and one that has room beside that, or none at all, is not.
func TestDoctorOfAside(t *testing.T) {
	limits := map[string]func(c *purchase.Credit, limit, spent, aside money.Micros){
		"daily_limit": func(c *purchase.Credit, limit, spent, aside money.Micros) {
			c.DailyLimit, c.DayMicros = &limit, spent+aside
		},
		"session_limit": func(c *purchase.Credit, limit, spent, aside money.Micros) {
			c.SessionLimit, c.SessionMicros = &limit, spent+aside
		},
		// what is spent at a seller is not in the status: that nothing is must do
		"seller_limit": func(c *purchase.Credit, limit, _, _ money.Micros) { c.SellerLimit = &limit },
	}
	for name, set := range limits {
		for _, c := range []struct {
			limit, spent, aside, own money.Micros
			wrong                    bool
		}{
			{limit: 12, aside: 6},
			{limit: 11, aside: 6},
			{limit: 10, aside: 6, wrong: true},
			{limit: 6, aside: 6, wrong: true},
			{limit: 4, aside: 6},
			{limit: 10},
			{limit: 10, aside: 6, own: 1},
			{limit: 6, aside: 6, own: 6},
			{limit: 10, aside: 9, own: 3, wrong: true},
			{limit: 100, spent: 90, aside: 6, wrong: name != "seller_limit"},
			{limit: 100, spent: 96},
		} {
			s := admin.Status{Fleet: &admin.FleetHere{StoreUp: true, AsideMicros: c.aside * money.USD, OwnAsideMicros: c.own * money.USD}}
			s.Ledger.OK = true
			s.Credit.AmountMicros = 5 * money.USD
			set(&s.Credit, c.limit*money.USD, c.spent*money.USD, c.aside*money.USD)
			d := New()
			d.Gateway(&s, time.Now())
			var said []string
			for _, f := range d.Findings {
				if f.Wrong && strings.Contains(f.Todo, "purchase_ahead") {
					said = append(said, f.What)
				}
			}
			if wrong := len(said) == 1 && strings.HasPrefix(said[0], "Of the "+name+" "); wrong != c.wrong || len(said) > 1 {
				t.Errorf("%s %+v: %q", name, c, said)
			}
		}
	}
}
