package page

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// joins opens a market in the fleet of a store, with a member who is in a group, for the time of the test.
func joins(t *testing.T, name string, store fleet.Store) *market.Market {
	t.Helper()
	m, err := market.Open(market.Options{
		Dir: filepath.Join(t.TempDir(), name), Key: make([]byte, 32),
		Fleet: &market.FleetOptions{Engine: market.NewEngine(fleettest.Engine{Store: store}, func() {}, nil), Name: name, Books: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	bounds := member.Unbound
	bounds.DailyBudget = 1000
	team, err := member.NewDirectory(member.Team{
		Members: []member.Config{{Name: "ann", Limits: member.Limits{Bounds: bounds}}},
		Groups:  []member.GroupConfig{{Name: "build", Members: []string{"ann"}, Bounds: bounds}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Orders.HoldTeam(func() *member.Directory { return team }))
	return m
}

// spends has ann spend so much at a gateway.
func spends(t *testing.T, m *market.Market, id string, cost money.Micros) {
	t.Helper()
	daily := ledger.Budget{Daily: 1000, Weekly: -1, Monthly: -1}
	r := m.Ledger.Reserve("ann", daily, ledger.GroupBudget{Group: "build", Budget: daily})
	if err := r.Hold(t.Context(), cost); err != nil {
		t.Fatal(err)
	}
	_, err := m.Ledger.Settle(ledger.Inference{
		Request: ledger.Request{RequestID: id, IdempotencyKey: id, Member: "ann", Group: "build", RequestedModel: "m", Model: "m", Protocol: "messages", Shape: billing.Shape{BodyBytes: 3, PromptTokens: 1}},
		Seller:  "acme", Origin: "https://acme.example", Attempts: 1, Status: ledger.StatusOK, Answered: true, Budget: r,
		Usage: billing.Usage{Tokens: money.Tokens{Prompt: 1, Completion: 1}, PromptKnown: true, CompletionKnown: true}, Price: money.Price{Input: cost * 1_000_000, Output: 0, CacheRead: money.Unknown, CacheWrite: money.Unknown},
	}).Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
}

// sees looks anew until what is seen is as it should be.
func sees(t *testing.T, m *market.Market, what string, good func(*Snapshot) bool) *Snapshot {
	t.Helper()
	until := time.NewTimer(20 * time.Second)
	defer until.Stop()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		s := lookAt(t.Context())(m)
		if good(s) {
			return s
		}
		select {
		case <-again.C:
		case <-until.C:
			t.Fatalf("%s is not seen: %+v %+v %s", what, s.Fleet, s.Members, s.Error)
		}
	}
}

// The page of a gateway in a fleet shows the gateways, and budgets as they stand for all of them.
func TestFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("XDG_DATA_HOME", t.TempDir())
		store := fleettest.NewMemory()
		one, other := joins(t, "one", store), joins(t, "other", store)
		spends(t, one, "a", 7)
		spends(t, other, "b", 30)
		s := sees(t, one, "what both have spent", func(s *Snapshot) bool {
			f := s.Fleet
			return len(f.Gateways) == 2 && f.Gateways[0].Shipped > 0 && f.Gateways[1].Shipped > 0 &&
				s.Members[0].DayMicros == 37 && s.Members[0].Budgets[0].SpentMicros == 37 && s.Members[0].Budgets[1].SpentMicros == 37 // the store hears of each by itself
		})
		f := s.Fleet
		if f.Name != "one" || !f.Books || f.Store != "up" || f.Gateways[0].Name != "one" || f.Gateways[1].Name != "other" ||
			!f.Gateways[0].Self || f.Gateways[1].Self || f.Gateways[0].Gateway != one.Ledger.Identity() || f.Gateways[1].State != "there" || f.Gateways[1].Seen.IsZero() {
			t.Errorf("%+v", f)
		}
		ann := s.Members[0]
		for i, group := range []string{"", "build"} {
			if b := ann.Budgets[i]; b.Group != group || b.SpentMicros != 37 || b.LimitMicros != 1000 || b.LeftMicros != 1000-37-b.HeldMicros {
				t.Errorf("a budget is %+v", b)
			}
		}
		many := &admin.Fleet{Status: fleet.Status{Gateways: make([]fleet.GatewayStatus, maxRows+1), Tokens: make([]fleet.TokenStatus, maxRows+2)}}
		if f := fleetOf(one, many); len(f.Gateways) != maxRows || f.GatewaysInAll != maxRows+1 || len(f.Tokens) != maxRows || f.TokensInAll != maxRows+2 {
			t.Errorf("of many it is said %d and %d", f.GatewaysInAll, f.TokensInAll)
		}
		if ann.DayMicros != 37 || s.Money.SpentTodayMicros != 7 {
			t.Errorf("what is known of all, or the books of this gateway, are others: %+v %+v", ann, s.Money)
		}
	})
}

// A store that does not answer keeps nobody from seeing all else, and one that is away is said to be.
func TestFleetWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("XDG_DATA_HOME", t.TempDir())
		link := fleettest.NewLink(fleettest.NewMemory())
		m := joins(t, "one", link)
		spends(t, m, "a", 7)
		link.Delay(time.Hour)
		began := time.Now()
		look := lookAt(t.Context())
		for range 2 {
			if s := look(m); s.Fleet == nil || s.Fleet.Store != "" || s.Fleet.Gateways == nil || s.Error != "" || s.Members[0].Budgets[0].SpentMicros != 7 {
				t.Errorf("without an answer it sees %+v %+v %s", s.Fleet, s.Members, s.Error)
			}
		}
		if took := time.Since(began); took > 2*600*time.Millisecond { // a moment for what others have spent, and one for how they stand
			t.Errorf("it has waited for %s", took)
		}
		link.Delay(0)
		link.Cut(true)
		s := sees(t, m, "that it is away", func(s *Snapshot) bool { return s.Fleet.Store == "away" })
		if len(s.Fleet.Gateways) != 0 || s.Members[0].Budgets[0].SpentMicros != 7 {
			t.Errorf("%+v %+v", s.Fleet, s.Members)
		}
		said := false
		for _, finding := range s.Findings {
			said = said || finding.Wrong && strings.Contains(finding.What, "store is away")
		}
		if !said {
			t.Errorf("the findings are %+v", s.Findings)
		}
		link.Cut(false)
	})
}
