package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// fleetOf are several gateways that are one, with a ledger each, over one PostgreSQL.
type fleetOf struct {
	t        testing.TB
	pg       *pgtest.Cluster
	gateways []*caddy
}

// newFleet starts so many gateways with this in the directive, beside the registry of the sellers. settings go into the fleet block.
func newFleet(t testing.TB, n int, sellers []*fakeSeller, settings, body string) *fleetOf {
	t.Helper()
	f := &fleetOf{t: t, pg: pgtest.New(t)}
	registry := registryOf(t, []string{"m"}, sellers...)
	for i := range n {
		c := newCaddy(t, "")
		c.env = append(c.env, "FLEET_DSN="+f.pg.DSN(), fmt.Sprintf("KEY_OF_EACH=key-of-gateway-%d", i))
		c.configure(market(registry, fmt.Sprintf("\t\tfleet postgres {env.FLEET_DSN} {\n\t\t\tname gw-%d\n%s\n\t\t}\n%s", i, settings, body)))
		f.gateways = append(f.gateways, c)
	}
	var all sync.WaitGroup
	for _, c := range f.gateways {
		all.Go(c.start)
	}
	all.Wait()
	return f
}

// ask sends a chat request with a member's key to a gateway, and gives the status, the headers and the body.
func (f *fleetOf) ask(gateway int, key string, header ...string) (int, http.Header, string) {
	f.t.Helper()
	header = append([]string{"Authorization", "Bearer " + key, "Content-Type", "application/json"}, header...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := f.gateways[gateway].send(ctx, "/v1/chat/completions", chatOf("m", `"max_tokens":30,`), header...)
	if err != nil {
		f.t.Errorf("gateway %d: %v", gateway, err)
		return 0, nil, ""
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(body)
}

// spent is what the ledgers of all gateways have booked for a member.
func (f *fleetOf) spent(member string) (sum int64) {
	f.t.Helper()
	for _, c := range f.gateways {
		for _, e := range c.entries("inference") {
			if e.Member == member {
				sum += e.ExpenseMicros
			}
		}
		for _, e := range c.entries("adjustment") {
			if e.Correction.Member == member {
				sum += e.Correction.BilledMicros
			}
		}
	}
	return sum
}

// TestFleetBudget has 60 requests come at once to each of three gateways, against a budget for ten.
func TestFleetBudget(t *testing.T) {
	t.Parallel()
	const each, ten = 50, 1_000
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", strconv.Itoa(each)))
	f := newFleet(t, 3, []*fakeSeller{acme}, "", `
		member small {
			key key-of-small
			daily_budget 0.001
		}
		member grouped {
			key key-of-grouped
			daily_budget 1
		}
		group few {
			members grouped
			weekly_budget 0.001
		}
`)
	for _, member := range []string{"small", "grouped"} {
		var served, refused atomic.Int64
		var all sync.WaitGroup
		for i := range 180 {
			all.Go(func() {
				switch status, _, body := f.ask(i%3, "key-of-"+member); status {
				case http.StatusOK:
					served.Add(1)
				case http.StatusPaymentRequired:
					refused.Add(1)
				default:
					t.Errorf("status %d: %s", status, body)
				}
			})
		}
		all.Wait()
		eventually(t, "what was held beyond what requests have cost is spent", func() bool {
			status, _, _ := f.ask(0, "key-of-"+member)
			if status == http.StatusOK {
				served.Add(1)
			}
			return served.Load()*each >= ten*95/100
		})
		eventually(t, "the entries of "+member, func() bool { return f.spent(member) == served.Load()*each })
		if spent := f.spent(member); spent > ten || spent < ten*95/100 {
			t.Errorf("%s: %d micros of %d spent by %d requests, %d refused", member, spent, ten, served.Load(), refused.Load())
		}
	}
	for _, c := range f.gateways {
		c.verify()
	}
}

// TestFleetCounts has what is counted count once: a rate, a client's retry.
func TestFleetCounts(t *testing.T) {
	t.Parallel()
	settled := settledBy(answerPlain, "Billed-Micros", "45", "Settlement-Id", "one-and-the-same")
	var once atomic.Bool
	acme := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if once.Load() {
			settled(w, r, body)
			return
		}
		settledBy(answerPlain, "Billed-Micros", "40")(w, r, body)
	})
	f := newFleet(t, 3, []*fakeSeller{acme}, "", `
		member rated {
			key key-of-rated
			rate 5 1h
		}
		member free {
			key key-of-free
		}
`)
	served := 0
	for i := range 15 {
		switch status, _, body := f.ask(i%3, "key-of-rated"); status {
		case http.StatusOK:
			served++
		case http.StatusTooManyRequests:
		default:
			t.Errorf("status %d: %s", status, body)
		}
	}
	if served != 5 {
		t.Errorf("a rate of 5 an hour has served %d", served)
	}
	once.Store(true)
	for i := range 2 {
		if status, _, body := f.ask(i, "key-of-free", "Idempotency-Key", "once"); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	eventually(t, "the second gateway takes its cost back", func() bool { return f.spent("free") == 45 })
	for _, c := range f.gateways {
		c.verify()
	}
}

// TestFleetPurchases has three gateways that may buy one token a day between them, and one that starts again after that. With the
// database away nothing is bought, and the token that is there serves.
func TestFleetPurchases(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"daily_limit", "session_limit", "seller_limit"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", "40"))
			f := newFleet(t, 3, []*fakeSeller{acme}, "", "\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n\t\tpurchase {\n\t\t\tamount 1\n\t\t\t"+limit+" 1\n\t\t}\n")
			rounds := func(name string) {
				served := make(map[int]int)
				var mu sync.Mutex
				var all sync.WaitGroup
				for i := range 9 {
					all.Go(func() {
						status, _, body := f.ask(i%3, "key-of-ada")
						mu.Lock()
						defer mu.Unlock()
						if status == http.StatusOK {
							served[i%3]++
						} else if status != http.StatusServiceUnavailable {
							t.Errorf("%s: status %d: %s", name, status, body)
						}
					})
				}
				all.Wait()
				if n := acme.purchases(); n != 1 || len(served) != 1 {
					t.Errorf("%s: %d purchases, and these gateways serve: %v", name, n, served)
				}
			}
			rounds("at once")
			for _, c := range f.gateways {
				c.stop()
				c.start()
			}
			rounds("after all have started again")
			if limit == "daily_limit" {
				f.pg.Kill(t)
				rounds("with the store away")
				f.pg.Restart(t)
			}
			for _, c := range f.gateways {
				c.verify()
			}
		})
	}
}

// TestFleetStoreAway takes the database away: what is set aside is spent, and then the client is told to come again.
func TestFleetStoreAway(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", "40"))
	f := newFleet(t, 2, []*fakeSeller{acme}, "\t\t\thold_out 5s", `
		member large {
			key key-of-large
			daily_budget 100
		}
		member idle {
			key key-of-idle
			daily_budget 100
		}
		member rated {
			key key-of-rated
			rate 2 1h
		}
`)
	gw := f.gateways[0]
	gw.stop()
	events := gw.listen("")
	gw.start()
	for range 40 {
		for i := range f.gateways {
			if status, _, body := f.ask(i, "key-of-large"); status != http.StatusOK {
				t.Fatalf("status %d: %s", status, body)
			}
		}
	}
	for _, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		if status, _, body := f.ask(0, "key-of-rated"); status != want {
			t.Errorf("a rate of 2: status %d, want %d: %s", status, want, body)
		}
	}
	f.pg.Kill(t)
	if status, _, body := f.ask(0, "key-of-rated"); status != http.StatusTooManyRequests {
		t.Errorf("a rate that was used up when the store went: status %d: %s", status, body)
	}
	for n := range 10 { // no more than was spent in the seconds before
		if status, _, body := f.ask(n%2, "key-of-large"); status != http.StatusOK {
			t.Errorf("request %d with the store away: status %d: %s", n, status, body)
		}
	}
	status, header, body := f.ask(0, "key-of-idle")
	if after, err := strconv.Atoi(header.Get("Retry-After")); status != http.StatusServiceUnavailable || !strings.Contains(body, "fleet_unavailable") ||
		err != nil || after < 1 || after > 15 {
		t.Errorf("nothing is set aside: status %d, %v: %s", status, header, body)
	}
	out, err := gw.command("tokenbuddy", "doctor", "--address", gw.admin).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "WRONG  The fleet's store is away: ") {
		t.Errorf("doctor: %v: %s", err, out)
	}
	if out, err := gw.command("tokenbuddy", "fleet", "--address", gw.admin).CombinedOutput(); err == nil || !strings.Contains(string(out), "store is away") || strings.Contains(string(out), "identity") {
		t.Errorf("fleet: %v: %s", err, out)
	}
	f.gateways[1].stop()
	f.gateways[1].start()
	if status, header, body := f.ask(1, "key-of-rated"); status != http.StatusServiceUnavailable || !strings.Contains(body, "fleet_unavailable") || header.Get("Retry-After") == "" {
		t.Errorf("a rate, and the store is away since the start: status %d, %v: %s", status, header, body)
	}
	f.pg.Restart(t)
	eventually(t, "the store is back", func() bool {
		status, _, _ := f.ask(0, "key-of-idle")
		return status == http.StatusOK
	})
	eventually(t, "the rate refuses again", func() bool {
		status, _, _ := f.ask(1, "key-of-rated")
		return status == http.StatusTooManyRequests
	})
	eventually(t, "the events of both", func() bool {
		heard, _ := os.ReadFile(events)
		away, back := bytes.Index(heard, []byte(`"fleet_away"`)), bytes.Index(heard, []byte(`"fleet_back"`))
		return away >= 0 && away < back
	})
}

// TestFleetOfKilled kills gateways and starts them again: their parts come back, and what they had under way is booked and counted.
func TestFleetOfKilled(t *testing.T) {
	t.Parallel()
	const each = 90
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", strconv.Itoa(each)))
	f := newFleet(t, 2, []*fakeSeller{acme}, "", `
		member m {
			key key-of-m
			daily_budget 0.01
		}
`)
	for round := range 3 {
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				if status, _, body := f.ask(i%2, "key-of-m"); status != http.StatusOK {
					t.Errorf("round %d: status %d: %s", round, status, body)
				}
			})
		}
		all.Wait()
		f.gateways[round%2].kill()
		f.gateways[round%2].start()
	}
	served, n := 30, 0
	eventually(t, "what was set aside at the other gateway is spent", func() bool {
		for refused := 0; refused < 2 && served < 200; n++ {
			switch status, _, body := f.ask(n%2, "key-of-m"); status {
			case http.StatusOK:
				served++
			case http.StatusPaymentRequired:
				refused++
			default:
				t.Fatalf("status %d: %s", status, body)
			}
		}
		return f.spent("m") >= 9_500
	})
	if spent := f.spent("m"); spent > 10_000 || spent < 9_500 {
		t.Errorf("%d micros of 10,000 spent by %d requests", spent, served)
	}
	status, body := f.gateways[0].look("/tokenbuddy/fleet")
	if status != http.StatusOK || !strings.Contains(string(body), "gw-0") || !strings.Contains(string(body), "gw-1") || !json.Valid(body) {
		t.Errorf("fleet: status %d: %s", status, body)
	}
	out, err := f.gateways[1].command("tokenbuddy", "fleet", "--address", f.gateways[1].admin).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "gw-0") || !strings.Contains(string(out), "$0.01") {
		t.Errorf("fleet: %v: %s", err, out)
	}
	out, _ = f.gateways[0].command("tokenbuddy", "doctor", "--address", f.gateways[0].admin).CombinedOutput()
	if !strings.Contains(string(out), "note   The fleet's store has no standby") || strings.Contains(string(out), "WRONG  The fleet") {
		t.Errorf("doctor: %s", out)
	}
	_, body = f.gateways[0].look("/metrics")
	compareMetrics(t, body, func(name string) bool { return strings.HasPrefix(name, ofFleets) })
	t.Logf("%s", out)
	for _, c := range f.gateways {
		c.verify()
		c.stop()
	}
}

// TestFleetBudgetAnew gives a member a budget in the middle of the day: what a gateway has booked before counts in it, though nobody asks
// there any more.
func TestFleetBudgetAnew(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", "50"))
	f := newFleet(t, 2, []*fakeSeller{acme}, "", "\t\tmember late {\n\t\t\tkey key-of-late\n\t\t}\n")
	for range 15 {
		if status, _, body := f.ask(0, "key-of-late"); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	for _, c := range f.gateways {
		file, err := os.ReadFile(c.caddyfile())
		if err != nil {
			t.Fatal(err)
		}
		c.write(strings.Replace(string(file), "key key-of-late\n", "key key-of-late\n\t\t\tdaily_budget 0.001\n", 1))
		c.reload()
	}
	eventually(t, "the fleet knows what was spent", func() bool {
		_, body := f.gateways[1].look("/tokenbuddy/fleet")
		return strings.Contains(string(body), `"spentMicros":750`)
	})
	served := 0
	for tries := 0; served < 100 && tries < 1_000; tries++ {
		status, _, body := f.ask(1, "key-of-late")
		if status == http.StatusPaymentRequired {
			break
		}
		if status == http.StatusServiceUnavailable && strings.Contains(body, "fleet_unavailable") {
			continue // the store's machine is busy: "try again in a moment"
		}
		if served++; status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	if spent := f.spent("late"); spent > 1_000 || spent < 850 {
		t.Errorf("%d micros of 1000 spent, %d requests since the budget", spent, served)
	}
}

// TestFleetStorePaused has the database hang for a while: no member with a rate that was not used up is refused by it after that, and none has
// lost what was left of it.
func TestFleetStorePaused(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	t.Parallel()
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", "40"))
	f := newFleet(t, 2, []*fakeSeller{acme}, "", `
		member first {
			key key-of-first
		}
		member rated {
			key key-of-rated
			rate 5 1h
		}
`)
	for i := range f.gateways { // each has its token then
		if status, _, body := f.ask(i, "key-of-first"); status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	f.pg.Pause(t)
	if status, header, body := f.ask(0, "key-of-rated"); status != http.StatusServiceUnavailable || !strings.Contains(body, "fleet_unavailable") || header.Get("Retry-After") == "" {
		t.Errorf("while the store hangs: status %d, %v: %s", status, header, body)
	}
	pause(t.Context(), 20*time.Second)
	f.pg.Resume(t)
	// What each may have let pass alone while it waited, a part of one, comes again in as long as that was.
	began := time.Now()
	for served := 0; served < 5; pause(t.Context(), 50*time.Millisecond) {
		switch status, _, body := f.ask(served%2, "key-of-rated"); {
		case status == http.StatusOK:
			served++
		case time.Since(began) < time.Minute && (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests && served == 4):
		default:
			t.Fatalf("after %d were served: status %d: %s", served, status, body)
		}
	}
	eventually(t, "the rate refuses", func() bool {
		status, _, _ := f.ask(0, "key-of-rated")
		if status == http.StatusOK {
			t.Fatal("the rate was passed")
		}
		return status == http.StatusTooManyRequests
	})
}
