package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	caddycore "github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

func init() {
	caddycore.RegisterModule(new(misbehavingMethod))
	caddycore.RegisterModule(new(misbehavingPolicy))
}

// guestCall is a call of a guest in the gateway's process, as the test's process hears of it.
type guestCall struct {
	Guest    string // "method" or "policy"
	Label    string // of the config's, so that instances can be told apart
	Step     string
	Purchase string
	Query    selection.Query
	Sellers  []string // of the candidates, for Order
}

// order is what a guest is to do. Fault is done first, then what else there is.
type order struct {
	Fault   string        // "", panic, block, exit, and more that a step knows
	Sellers []string      // of a policy: in this order, and no others; nil: as they were given
	After   time.Duration // before it does anything, without heed of a context
}

// master is who the guests ask what to do. It is the payment method's rail as well.
type master struct {
	*httptest.Server
	rule func(guestCall) order // may be nil: they behave

	mu    sync.Mutex // protects all following fields
	calls []guestCall
	paid  map[string]int // purchases; each time that money has moved
}

func newMaster(t testing.TB) *master {
	m := &master{paid: make(map[string]int)}
	m.Server = httptest.NewServer(m)
	t.Cleanup(func() {
		m.CloseClientConnections()
		m.Close()
	})
	return m
}

func (m *master) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call guestCall
	if json.NewDecoder(r.Body).Decode(&call) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch r.URL.Path {
	case "/move":
		m.paid[call.Purchase]++
	case "/paid":
		reply(w, m.paid[call.Purchase] > 0)
	default:
		m.calls = append(m.calls, call)
		var o order
		if m.rule != nil {
			o = m.rule(call)
		}
		reply(w, o)
	}
}

// orders has the guests do as it says from now on.
func (m *master) orders(rule func(guestCall) order) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rule = rule
}

// faultIn has one step do as it is ordered, and the others what they are to do.
func faultIn(step string, o order) func(guestCall) order {
	return func(c guestCall) order {
		if c.Step == step {
			return o
		}
		return order{}
	}
}

// count is how often a step was called, of instances of a label ("": of all).
func (m *master) count(step, label string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.calls {
		if c.Step == step && (label == "" || c.Label == label) {
			n++
		}
	}
	return n
}

// moved is how much money has moved, in purchases, and which of them more than once.
func (m *master) moved() (purchases int, twice []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, n := range m.paid {
		if n > 1 {
			twice = append(twice, p)
		}
	}
	return len(m.paid), twice
}

// puppet is a guest's line to its master.
type puppet struct {
	Master string `json:"master"`
	Label  string `json:"label,omitempty"`

	client http.Client
}

// UnmarshalCaddyfile reads: <name> <master's URL> [<label>].
func (p *puppet) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.ArgErr()
	}
	p.Master = args[0]
	if len(args) == 2 {
		p.Label = args[1]
	}
	return nil
}

// tell asks the master something. It has no heed of a context, and lasts as long as the master.
func (p *puppet) tell(path string, call guestCall, answer any) {
	call.Label = p.Label
	b, _ := json.Marshal(call)
	for range 3 {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.Master+path, bytes.NewReader(b))
		if err != nil {
			return
		}
		res, err := p.client.Do(req)
		if err != nil {
			continue
		}
		if answer != nil {
			err = json.NewDecoder(res.Body).Decode(answer)
		}
		_ = res.Body.Close()
		if err == nil {
			return
		}
	}
}

// obey asks what to do in a step, and does what every step can do.
func (p *puppet) obey(call guestCall) order {
	var o order
	p.tell("/step", call, &o)
	time.Sleep(o.After) //nolint:forbidigo // it is no test that waits, but the guest that takes its time
	switch o.Fault {
	case "panic":
		panic(poison)
	case "block":
		select {}
	case "exit":
		runtime.Goexit()
	}
	return o
}

// misbehavingMethod is a payment method that does what its master says. Its rail is not idempotent: who pays twice has paid
// twice.
type misbehavingMethod struct{ puppet }

func (*misbehavingMethod) CaddyModule() caddycore.ModuleInfo {
	return caddycore.ModuleInfo{ID: payment.Namespace + ".misbehaving", New: func() caddycore.Module { return new(misbehavingMethod) }}
}

func (m *misbehavingMethod) Check(q payment.Quote, _ money.Micros) error {
	if m.obey(guestCall{Guest: "method", Step: "check", Purchase: q.PurchaseID}).Fault == "error" {
		return errors.New("no")
	}
	return nil
}

func (m *misbehavingMethod) Prepare(_ context.Context, q payment.Quote) (json.RawMessage, error) {
	o := m.obey(guestCall{Guest: "method", Step: "prepare", Purchase: q.PurchaseID})
	switch o.Fault {
	case "error":
		return nil, errors.New("no")
	case "proof":
		return json.RawMessage(`{"broken`), nil
	}
	return json.Marshal(q.PurchaseID)
}

func (m *misbehavingMethod) Pay(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	call := guestCall{Guest: "method", Step: "pay", Purchase: q.PurchaseID}
	o := m.obey(call)
	m.tell("/move", call, nil)
	call.Step = "paid"
	if after := m.obey(call); after.Fault != "" { // when the money has moved
		o = after
	}
	return m.outcome(o, intent)
}

func (m *misbehavingMethod) Track(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	call := guestCall{Guest: "method", Step: "track", Purchase: q.PurchaseID}
	o := m.obey(call)
	var paid bool
	m.tell("/paid", call, &paid)
	if !paid && o.Fault == "" {
		return payment.Failed(true), nil
	}
	return m.outcome(o, intent)
}

func (m *misbehavingMethod) outcome(o order, intent json.RawMessage) (payment.Outcome, error) {
	switch o.Fault {
	case "error":
		return payment.Outcome{}, errors.New("no\x1b[2J")
	case "proof":
		return payment.Proven(json.RawMessage(`{"broken`)), nil
	case "kind":
		return payment.Outcome{Kind: 99}, nil
	case "pending":
		return payment.Pending(), nil
	case "link":
		return payment.NeedsHuman("javascript:alert(1)", "click\x1b[2J\nhere"), nil
	}
	return payment.Proven(intent), nil
}

// Patience has a test not wait for half a minute where a method blocks.
func (m *misbehavingMethod) Patience(payment.Quote, json.RawMessage) time.Duration {
	return 300 * time.Millisecond
}

// MostPerDay is no limit, or one that no purchase is within.
func (m *misbehavingMethod) MostPerDay() money.Micros {
	if m.obey(guestCall{Guest: "method", Step: "limit"}).Fault == "spent" {
		return 1
	}
	return 0
}

func (m *misbehavingMethod) Cleanup() error {
	m.obey(guestCall{Guest: "method", Step: "cleanup"})
	return nil
}

// misbehavingPolicy is a selection policy that does what its master says.
type misbehavingPolicy struct{ puppet }

func (*misbehavingPolicy) CaddyModule() caddycore.ModuleInfo {
	return caddycore.ModuleInfo{ID: selection.Namespace + ".misbehaving", New: func() caddycore.Module { return new(misbehavingPolicy) }}
}

func (p *misbehavingPolicy) Provision(caddycore.Context) error {
	if p.obey(guestCall{Guest: "policy", Step: "provision"}).Fault == "error" {
		return errors.New("it can't be provisioned")
	}
	return nil
}

func (p *misbehavingPolicy) Cleanup() error {
	p.obey(guestCall{Guest: "policy", Step: "cleanup policy"})
	return nil
}

func (p *misbehavingPolicy) Order(q selection.Query, candidates []selection.Candidate) []selection.Candidate {
	call := guestCall{Guest: "policy", Step: "order", Query: q}
	for _, c := range candidates {
		call.Sellers = append(call.Sellers, c.Seller)
	}
	o := p.obey(call)
	switch o.Fault {
	case "invent":
		return []selection.Candidate{{}, {Seller: "nobody"}}
	case "nothing":
		return nil
	case "double":
		return append(candidates, candidates...)
	}
	if o.Sellers == nil {
		return candidates
	}
	var order []selection.Candidate
	for _, id := range o.Sellers {
		for _, c := range candidates {
			if c.Seller == id {
				order = append(order, c)
			}
		}
	}
	return order
}

func (p *misbehavingPolicy) Gather(q selection.Query, all iter.Seq[selection.Candidate], want int) (some []selection.Candidate) {
	o := p.obey(guestCall{Guest: "policy", Step: "gather", Query: q})
	for c := range all {
		if o.Fault == "invent" {
			c = selection.Candidate{Seller: "nobody"}
		}
		if some = append(some, c); len(some) == want {
			break
		}
	}
	return some
}

var (
	_ payment.Patience       = (*misbehavingMethod)(nil)
	_ payment.Bounded        = (*misbehavingMethod)(nil)
	_ caddycore.CleanerUpper = (*misbehavingMethod)(nil)
	_ selection.Gatherer     = (*misbehavingPolicy)(nil)
	_ caddycore.Provisioner  = (*misbehavingPolicy)(nil)
)

// guestStage is a stage whose first sellers are paid by the misbehaving method, and the last one by mock.
type guestStage struct {
	*stage
	*master
	bad  []*fakeSeller
	good *fakeSeller
}

func newGuestStage(t testing.TB, bad int) *guestStage {
	g := &guestStage{stage: newStage(t), master: newMaster(t)}
	for i := range bad {
		g.bad = append(g.bad, g.seller(fmt.Sprint("bad", i), answerPlain, priced("m")))
		g.lists[i].PaymentMethods = []string{"misbehaving"}
	}
	g.good = g.seller("good", answerPlain, priced("m"))
	return g
}

// body is the directive's, with the misbehaving method under a label, and more.
func (g *guestStage) body(label, more string) string {
	return fmt.Sprintf("\t\tpayment misbehaving %s %s\n%s", g.URL, label, more)
}

// policy is the line that puts the misbehaving policy in force.
func (g *guestStage) policy() string { return fmt.Sprintf("\t\tselection misbehaving %s\n", g.URL) }

// served asks once, in a conversation of its own, and has to be served by a seller ("": whichever).
func (g *guestStage) served(id, seller string, header ...string) {
	g.t.Helper()
	a := g.ask(0, http.MethodPost, "/v1/chat/completions", strings.Replace(chatOf("m", ""), "Hello", id[:4], 1), append(header, "X-Request-Id", id)...)
	if got := a.Header.Get("X-TokenBuddy-Seller"); a.StatusCode != http.StatusOK || seller != "" && got != seller {
		g.t.Errorf("%s: status %d from %q, want 200 from %q: %s", id, a.StatusCode, got, seller, a.body)
	}
}

// well looks whether the process still does all it has to, and what nobody may read.
func (g *guestStage) well() {
	g.t.Helper()
	g.verify()
	for _, bad := range []string{poison, "javascript:", "\x1b", `\u001b`, "DATA RACE"} {
		if g.log.has(bad) {
			g.t.Errorf("%q stands in the log", bad)
		}
	}
	if _, twice := g.moved(); len(twice) > 0 {
		g.t.Errorf("paid twice: %v", twice)
	}
}

// faults tells whether the metrics have a counter.
func (g *guestStage) faults(line string) bool {
	status, body := g.look("/metrics")
	return status == http.StatusOK && strings.Contains(string(body), "\n"+line+" ")
}

// file is the Caddyfile as it is.
func (g *guestStage) file() string {
	b, err := os.ReadFile(g.caddyfile())
	if err != nil {
		g.t.Fatal(err)
	}
	return string(b)
}

// load gives the gateway a Caddyfile over the admin endpoint, which is quicker than a command.
func (g *guestStage) load(file string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+g.admin+"/load", strings.NewReader(file))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections() // to servers that are on their way out
	return nil
}
