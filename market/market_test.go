package market

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

var key = make([]byte, 32)

// openMarket opens the market of a directory, until the test ends.
func openMarket(t *testing.T, dir string) *Market {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	m, err := Open(Options{Dir: dir, Key: key, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	return m
}

// tableOf is a config's view of pinned sellers, all of the model m.
func tableOf(t *testing.T, m *Market, defaultSeller string, ids ...string) *routing.Table {
	t.Helper()
	o := routing.TableOptions{Methods: []string{"mock"}, DefaultSeller: defaultSeller, Pool: m.Pool}
	for _, id := range ids {
		s, err := routing.NewPinned(routing.Pin{ID: id, URL: "https://" + id + ".example", Methods: []string{"mock"}})
		if err != nil {
			t.Fatal(err)
		}
		o.Pinned = append(o.Pinned, s)
	}
	table := routing.NewTable(o)
	t.Cleanup(table.Close)
	return table
}

func TestOpenShares(t *testing.T) {
	dir := t.TempDir()
	m := openMarket(t, filepath.Join(dir, "books"))
	for _, test := range []struct {
		name, dir string
		key       []byte
		same      bool
		err       string
	}{
		{"the same", "books", key, true, ""},
		{"by a longer way", "books/../books/.", key, true, ""},
		{"another", "others", key, false, ""},
		{"another key", "books", slices.Repeat([]byte{1}, 32), false, "another key"},
		{"no key", "books", nil, false, "another key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Open(Options{Dir: filepath.Join(dir, test.dir), Key: test.key, Log: zap.NewNop()})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v, want an error with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer got.Release()
			if (got == m) != test.same {
				t.Errorf("the same market: %v", got == m)
			}
			if !slices.Contains(All(), got) {
				t.Error("it is not among the open ones")
			}
		})
	}
	if all := All(); len(all) != 1 || all[0] != m {
		t.Errorf("%d are open after the others were released", len(all))
	}
	if err := m.Ledger.Ready(); err != nil {
		t.Errorf("who was refused has closed it: %v", err)
	}
}

func TestOpenFails(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: filepath.Join(file, "books"), Key: key}); err == nil {
		t.Error("a ledger below a file was opened")
	}
	if n := len(All()); n != 0 {
		t.Errorf("%d are open", n)
	}
}

// The newest config's terms are in force, and those of the one before it where that one goes.
func TestHoldTerms(t *testing.T) {
	m := openMarket(t, filepath.Join(t.TempDir(), "books"))
	const old, now = time.Second, 5 * time.Minute
	// rest is how long the circuit of a seller that can't be reached stays open, as the terms have it, give or take the jitter.
	seller := 0
	rest := func() time.Duration {
		seller++
		s := m.Pool.State(routing.SellerKey{ID: "s", Origin: "https://" + strings.Repeat("s", seller) + ".example"})
		p, ok := s.Begin(time.Now(), "m", false)
		if !ok {
			t.Fatal("not let in")
		}
		p.End(time.Now(), routing.Result{Outcome: routing.Outcome{Kind: routing.Deadline}, NoConnection: true})
		if until := time.Until(s.Due("m")); until > time.Minute {
			return now
		}
		return old
	}
	first := m.HoldTerms(Terms{Purchase: purchase.Terms{Amount: 1}, Cooldown: old})
	second := m.HoldTerms(Terms{Purchase: purchase.Terms{Amount: 1}, Cooldown: now})
	if got := rest(); got != now {
		t.Errorf("with two: %s", got)
	}
	second()
	if got := rest(); got != old {
		t.Errorf("the newer one has gone: %s", got)
	}
	third := m.HoldTerms(Terms{Purchase: purchase.Terms{Amount: 1}, Cooldown: now})
	first()
	if got := rest(); got != now {
		t.Errorf("the older one has gone: %s", got)
	}
	third()
	if got := rest(); got != now {
		t.Errorf("all have gone: %s", got)
	}
}

// The newest config that can pay goes on with a purchase; one that only knows the seller does where none can.
func TestResolvers(t *testing.T) {
	method := []purchase.NamedMethod{{Name: "mock", Method: payment.Mock{}}}
	answers := map[string]Resolver{
		"pays": func(ledger.Purchase) (purchase.Want, bool) {
			return purchase.Want{Model: "pays", Methods: method}, true
		},
		"pays 2": func(ledger.Purchase) (purchase.Want, bool) {
			return purchase.Want{Model: "pays 2", Methods: method}, true
		},
		"knows": func(ledger.Purchase) (purchase.Want, bool) { return purchase.Want{Model: "knows"}, true },
		"no":    func(ledger.Purchase) (purchase.Want, bool) { return purchase.Want{Model: "no"}, false },
	}
	m := openMarket(t, filepath.Join(t.TempDir(), "books"))
	for _, test := range []struct {
		held []string // oldest first
		want string   // empty: nobody knows
	}{
		{nil, ""},
		{[]string{"no"}, ""},
		{[]string{"knows"}, "knows"},
		{[]string{"pays", "pays 2"}, "pays 2"},
		{[]string{"pays", "knows"}, "pays"},
		{[]string{"knows", "no"}, "knows"},
		{[]string{"pays", "no"}, "pays"},
	} {
		var releases []func()
		for _, name := range test.held {
			releases = append(releases, m.HoldResolver(answers[name]))
		}
		if w, ok := m.resolve(ledger.Purchase{}); ok != (test.want != "") || ok && w.Model != test.want {
			t.Errorf("%v: %q, %v", test.held, w.Model, ok)
		}
		for _, release := range releases {
			release()
		}
		if _, ok := m.resolve(ledger.Purchase{}); ok {
			t.Errorf("%v: asked after they have gone", test.held)
		}
	}
}

// What outlives configs logs where the newest one does.
func TestHoldLog(t *testing.T) {
	m := openMarket(t, filepath.Join(t.TempDir(), "books"))
	info, oldLogs := observer.New(zap.InfoLevel)
	warn, newLogs := observer.New(zap.WarnLevel)
	log := m.logger.Named("part").With(zap.String("with", "it"))
	say := func(what string) {
		log.Info("info " + what)
		log.Warn("warn " + what)
	}
	old := m.HoldLog(zap.New(info))
	say("1")
	newest := m.HoldLog(zap.New(warn))
	say("2")
	newest()
	say("3")
	old()
	say("4")
	if release := m.HoldLog(nil); release == nil {
		t.Error("nothing to release")
	}
	messages := func(logs *observer.ObservedLogs) (all []string) {
		for _, e := range logs.All() {
			if e.LoggerName != "tokenbuddy.part" || e.ContextMap()["with"] != "it" {
				t.Errorf("%s: logger %s, fields %v", e.Message, e.LoggerName, e.ContextMap())
			}
			all = append(all, e.Message)
		}
		return all
	}
	if got, want := messages(oldLogs), []string{"info 1", "warn 1", "info 3", "warn 3"}; !slices.Equal(got, want) {
		t.Errorf("the older config's log: %q, want %q", got, want)
	}
	if got, want := messages(newLogs), []string{"warn 2"}; !slices.Equal(got, want) {
		t.Errorf("the newer config's log: %q, want %q", got, want)
	}
}

func TestRegistryShared(t *testing.T) {
	m := openMarket(t, filepath.Join(t.TempDir(), "books"))
	o := routing.RegistryOptions{URL: "http://127.0.0.1:1/", Refresh: time.Hour, Timeout: time.Second, MaxSize: 1 << 20}
	a, releaseA, err := m.Registry(o)
	if err != nil {
		t.Fatal(err)
	}
	b, releaseB, err := m.Registry(o)
	if err != nil || a != b {
		t.Fatal("two configs that say the same have two registries", err)
	}
	o.Refresh = time.Minute
	c, releaseC, err := m.Registry(o)
	if err != nil || c == a {
		t.Fatal("configs that say otherwise share a registry", err)
	}
	if n := len(m.Registries()); n != 2 {
		t.Errorf("%d registries are listed", n)
	}
	releaseA()
	releaseC()
	if n := len(m.Registries()); n != 1 {
		t.Errorf("%d registries are listed after one has gone", n)
	}
	releaseB()
	if n := len(m.Registries()); n != 0 {
		t.Errorf("%d registries are listed after all have gone", n)
	}
	o.URL = "nonsense"
	if _, _, err := m.Registry(o); err == nil {
		t.Error("a URL that is none has a registry")
	}
}

// Sellers are those that were dealt with, and those that running configs name beside them.
func TestSellers(t *testing.T) {
	m := openMarket(t, filepath.Join(t.TempDir(), "books"))
	listed := func() (ids []string) {
		for _, e := range m.Sellers() {
			ids = append(ids, e.SellerID)
		}
		return ids
	}
	a := m.HoldTable(tableOf(t, m, "", "bolt", "acme"), noConfig(t))
	b := m.HoldTable(tableOf(t, m, "", "acme", "cora"), noConfig(t))
	if got, want := listed(), []string{"acme", "bolt", "cora"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	m.Pool.State(routing.SellerKey{ID: "dealt", Origin: "https://dealt.example"})
	a()
	if got, want := listed(), []string{"acme", "cora", "dealt"}; !slices.Equal(got, want) {
		t.Errorf("after a config has gone: %v, want %v", got, want)
	}
	b()
	if got, want := listed(), []string{"dealt"}; !slices.Equal(got, want) {
		t.Errorf("after all have gone: %v, want %v", got, want)
	}
}

// noConfig is the context of a config that has nothing in it.
func noConfig(t *testing.T) caddy.Context { return caddy.Context{Context: t.Context()} }

// A session lasts as long as the process, also where no config has the ledger open in between, and so does what is known of sellers.
func TestPast(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	dir := filepath.Join(t.TempDir(), "books")
	limits := ledger.Limits{Daily: -1, Session: 2 * money.USD, Seller: -1}
	var m *Market
	again := func() {
		t.Helper()
		if m != nil {
			m.Release()
		}
		var err error
		if m, err = Open(Options{Dir: dir, Key: key, Log: zap.NewNop()}); err != nil {
			t.Fatal(err)
		}
	}
	again()
	t.Cleanup(func() { m.Release() })
	p := ledger.Purchase{ID: "p1", Seller: "acme", Origin: "https://acme.example", Method: "mock", AmountMicros: money.USD}
	for _, p.State = range []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying} {
		if err := m.Ledger.Advance(t.Context(), p, limits); err != nil {
			t.Fatal(err)
		}
		again()
		if _, session := m.Ledger.Spent(); session != money.USD && p.State != ledger.Creating && p.State != ledger.Quoted {
			t.Errorf("%s: %s is spent in this session", p.State, session)
		}
	}
	next := ledger.Purchase{ID: "p2", Seller: "best", Origin: "https://best.example", Method: "mock", AmountMicros: 2 * money.USD}
	for _, next.State = range []ledger.PurchaseState{ledger.Creating, ledger.Quoted} {
		if err := m.Ledger.Advance(t.Context(), next, limits); err != nil {
			t.Fatal(err)
		}
	}
	limit := new(ledger.LimitError)
	if next.State = ledger.Prepared; !errors.As(m.Ledger.Advance(t.Context(), next, limits), &limit) || limit.Limit != ledger.SessionLimit {
		t.Errorf("the session's limit does not hold: %v", limit)
	}
	p.State, p.Unpaid = ledger.Failed, true
	if err := m.Ledger.Advance(t.Context(), p, limits); err != nil {
		t.Fatal(err)
	}
	if _, session := m.Ledger.Spent(); session != 0 {
		t.Errorf("%s is spent, and nothing was paid", session)
	}
}
