package page

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Of more requests than are remembered those are counted of the time of which none is missing, and that time is said.
func TestNowOfMany(t *testing.T) {
	memory, at := recent.New(), time.Now()
	try := []recent.Attempt{{Number: 1, Seller: "acme", Kind: "ok"}}
	const all, refusals = 4000, 100
	for i := range all { // twenty a second
		memory.Add(&recent.Request{RequestID: fmt.Sprint(i), Member: "ann", Ended: at.Add(time.Duration(i-all) * 50 * time.Millisecond), Outcome: "ok", Attempts: try})
	}
	for i := range refusals {
		memory.Add(&recent.Request{RequestID: fmt.Sprint("no-", i), Member: "ann", Ended: at.Add(time.Duration(i-refusals) * time.Second), Outcome: "refused"})
	}
	n := nowOf(memory.Find(recent.Query{}), memory.Since(), at)
	served := n.Requests - n.Refused
	if n.Seconds < 100 || n.Seconds > 103 || served < 20*n.Seconds-20 || served > 20*n.Seconds+20 || n.Refused != 100 {
		t.Errorf("%+v", n)
	}
}

// Where there are more than are shown, it is said how many there are, and what is counted is of all.
func TestSnapshotOfMany(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	m, err := market.Open(market.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	var all member.Team
	for i := range maxMemberRows + 7 {
		all.Members = append(all.Members, member.Config{Name: fmt.Sprintf("member-%03d", i), Limits: member.Limits{Bounds: member.Unbound}})
	}
	team, err := member.NewDirectory(all)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Orders.HoldTeam(func() *member.Directory { return team })()
	const many = maxRows + 9
	buy := func(id, seller string, states ...ledger.PurchaseState) {
		p := ledger.Purchase{ID: id, Seller: seller, Origin: "https://acme.example", Method: "mock", AmountMicros: 5}
		for _, p.State = range states {
			if err := m.Ledger.Advance(t.Context(), p, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	unserved := []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing, ledger.Disputed}
	buy("lost long ago", "seller-000", unserved...)
	for i := range many {
		id := fmt.Sprintf("seller-%03d", i)
		if _, ok := m.Pool.State(routing.SellerKey{ID: id, Origin: "https://acme.example"}).Begin(time.Now(), "m", false); !ok {
			t.Fatal("it is not asked")
		}
		buy(fmt.Sprint(i), id, ledger.Creating, ledger.Failed)
	}
	last := fmt.Sprintf("seller-%03d", many-1)
	buy("lost", last, unserved...)
	s := lookAt(t.Context())(m)
	if len(s.Members) != maxMemberRows || s.InAll.Members != maxMemberRows+7 {
		t.Errorf("%d members of %d are shown", len(s.Members), s.InAll.Members)
	}
	if len(s.Sellers) != maxRows || s.InAll.Sellers != many || s.Now.UnderWay != many {
		t.Errorf("%d sellers of %d are shown, and %d attempts are under way", len(s.Sellers), s.InAll.Sellers, s.Now.UnderWay)
	}
	if len(s.Purchases) != maxRows+1 || s.InAll.Purchases != many+2 || s.Purchases[maxRows].PurchaseID != "lost long ago" {
		t.Errorf("%d purchases of %d are shown, and not that of which money may come back", len(s.Purchases), s.InAll.Purchases)
	}
	if fmt.Sprint(s.Disputed) != "[seller-000 "+last+"]" {
		t.Errorf("in dispute is %s", s.Disputed)
	}
}

// Books that can't be read are not taken for books in which nothing is.
func TestSnapshotUnread(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	m, err := market.Open(market.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if s := lookAt(t.Context())(m); s.Money.Unread || s.Error != "" {
		t.Errorf("%+v %s", s.Money, s.Error)
	}
	if err := m.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if s := lookAt(t.Context())(m); !s.Money.Unread || s.Error == "" {
		t.Errorf("%+v %s", s.Money, s.Error)
	}
}

// What is shown is what the books have, and what is remembered.
func TestSnapshot(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	m, err := market.Open(market.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	bounds := member.Unbound
	bounds.DailyBudget = 1000
	team, err := member.NewDirectory(member.Team{
		From:    true,
		Members: []member.Config{{Name: "ann", Limits: member.Limits{Bounds: bounds}}, {Name: "bob", Limits: member.Limits{Bounds: member.Unbound}}},
		Groups:  []member.GroupConfig{{Name: "build", Members: []string{"ann"}, Bounds: bounds}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Orders.HoldTeam(func() *member.Directory { return team })()
	b, err := m.Ledger.Settle(ledger.Inference{
		Request: ledger.Request{RequestID: "one", IdempotencyKey: "one", Member: "ann", Group: "build", RequestedModel: "m", Model: "m", Protocol: "messages", Shape: billing.Shape{BodyBytes: 3, PromptTokens: 1}},
		Seller:  "acme", Origin: "https://acme.example", Attempts: 1, Status: ledger.StatusOK, Answered: true,
		Usage: billing.Usage{Tokens: money.Tokens{Prompt: 1, Completion: 1}, PromptKnown: true, CompletionKnown: true}, Price: money.Price{Input: 7 * 1_000_000, Output: 0, CacheRead: money.Unknown, CacheWrite: money.Unknown},
	}).Wait(t.Context())
	if err != nil || b.Entry == nil {
		t.Fatal(b, err)
	}
	now := time.Now()
	try := []recent.Attempt{{Number: 1, Seller: "acme", Kind: "ok"}}
	for _, r := range []*recent.Request{
		{RequestID: "old", Member: "ann", Ended: now.Add(-time.Hour), Outcome: "failed", Attempts: try},
		{RequestID: "one", Member: "ann", Ended: now.Add(-3 * time.Second), Outcome: "ok", Attempts: try, TimeToFirstByteMs: 30},
		{RequestID: "two", Member: "eve", Ended: now.Add(-2 * time.Second), Outcome: "failed", Attempts: try},
		{RequestID: "three", Ended: now.Add(-time.Second), Outcome: "refused", Code: "invalid_api_key"},
		{RequestID: "four", Member: "ann", Ended: now, Outcome: "refused", Code: "budget_spent"},
	} {
		m.Recent.Add(r)
	}
	s := lookAt(t.Context())(m)
	if want := (Now{Seconds: 300, Requests: 4, Failures: 1, Refused: 2, FirstContentMs: 30, StreamsOpen: admin.StreamsOpen()}); s.Now != want {
		t.Errorf("now is %+v, want %+v", s.Now, want)
	}
	if s.Money.SpentTodayMicros != 7 || s.Error != "" || s.Ledger != m.Dir() {
		t.Errorf("%+v %s", s.Money, s.Error)
	}
	var ids, names []string
	for _, r := range s.Requests {
		ids = append(ids, r.RequestID)
	}
	if got := strings.Join(ids, " "); got != "four three two one old" {
		t.Errorf("the requests are %s", got)
	}
	for _, r := range s.Members {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "ann bob eve" {
		t.Fatalf("the members are %s", got)
	}
	ann := s.Members[0]
	if ann.DayMicros != 7 || ann.MonthMicros != 7 || ann.Group != "build" || ann.Refused["budget_spent"] != 1 || !ann.LastSeen.Equal(now) || len(ann.Budgets) != 2 {
		t.Fatalf("ann is %+v", ann)
	}
	for i, group := range []string{"", "build"} {
		if b := ann.Budgets[i]; b.Group != group || b.Period != "daily" || b.LimitMicros != 1000 || b.SpentMicros != 7 || b.HeldMicros != 0 {
			t.Errorf("a budget is %+v", b)
		}
	}
	raw, err := json.Marshal(s)
	if err != nil || strings.Contains(string(raw), ":null,\"Members") {
		t.Errorf("%v %s", err, raw)
	}
	for _, list := range []string{"findings", "members", "sellers", "requests", "purchases", "disputed"} {
		if strings.Contains(string(raw), `"`+list+`":null`) {
			t.Errorf("%s is null: %s", list, raw)
		}
	}
}
