package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
)

// TestFleetRestore loses the directory of a gateway, and has it back from a backup of its first minute and from what it has shipped: with its
// identity, its tokens, what its members have spent, to the micro, and the settlements that it has booked.
func TestFleetRestore(t *testing.T) {
	t.Parallel()
	settlement := atomic.Pointer[string]{} // nil: one for each request
	var n atomic.Int64
	acme := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		id := fmt.Sprint("s", n.Add(1))
		if one := settlement.Load(); one != nil {
			id = *one
		}
		settledBy(answerPlain, "Billed-Micros", "40", "Settlement-Id", id)(w, r, body)
	})
	f := newFleet(t, 2, []*fakeSeller{acme}, "", `
		member ada {
			key key-of-ada
			daily_budget 0.001
			monthly_budget 1
		}
`)
	one, other := f.gateways[0], f.gateways[1]
	ask := func(gateway, times, want int) {
		t.Helper()
		for range times {
			if status, _, body := f.ask(gateway, "key-of-ada"); status != want {
				t.Fatalf("status %d: %s", status, body)
			}
		}
	}
	file := filepath.Join(one.dir, "books.backup")
	one.good("backup", "-o", file, "--address", one.admin) // before anything was bought
	ask(0, 7, http.StatusOK)
	ask(1, 5, http.StatusOK)
	settlement.Store(new("again"))
	ask(0, 1, http.StatusOK)
	one.good("members", "add", "bob", "--daily-budget", "1", "--address", one.admin)
	bought := acme.purchases()
	status := func(c *caddy) (all admin.Fleet) {
		t.Helper()
		if err := json.Unmarshal([]byte(c.good("fleet", "--json", "--address", c.admin)), &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	identity := status(one).Here.Gateway
	eventually(t, "its entries are shipped", func() bool {
		here := status(one).Here
		return here.Entries == here.Shipped && here.Entries > 10
	})
	one.kill()
	if err := os.RemoveAll(one.ledgerDir()); err != nil {
		t.Fatal(err)
	}

	in := func(args ...string) []string {
		return append([]string{"restore", file, "--ledger", one.ledgerDir()}, args...)
	}
	elsewhere := strings.Replace(f.pg.DSN(), "/postgres?", "/"+f.pg.Database(t)+"?", 1)
	if code, _, complaint := one.says(in("--fleet", "postgres "+elsewhere)...); code != 1 || !strings.Contains(complaint, "is it another database") {
		t.Errorf("of another database: status %d, %s", code, complaint)
	}
	one.bad("such as 'postgres {env.FLEET_DSN}'", in("--fleet", " ")...)
	one.bad("such as 'postgres {env.FLEET_DSN}'", in("--fleet", "")...)
	one.bad("--fleet", in("--fleet", "sqlite x")...)
	one.bad("none of the others can be", in("--fleet", "postgres {env.FLEET_DSN}", "--new-identity")...)
	code, out, complaint := one.says(in("--fleet", "postgres {env.FLEET_DSN}")...)
	if code != 0 || !strings.Contains(complaint, "warning: Gateway "+identity) || !strings.Contains(complaint, "stop it") { // it was killed a moment ago
		t.Errorf("restore of one that may run: status %d, %s", code, complaint)
	}
	if !strings.Contains(out, "After those of the backup the fleet has") || !strings.Contains(out, "is restored in") {
		t.Errorf("restore says %s", out)
	}
	one.start()
	if got := status(one); got.Here.Gateway != identity || got.Here.Fenced || len(got.Gateways) != 2 {
		t.Errorf("%+v", got)
	}
	if spent := f.spent("ada"); spent != 13*40 {
		t.Errorf("%d micros are booked, of 13 requests for 40", spent)
	}
	if out := one.good("members", "--address", one.admin); !strings.Contains(out, "bob") {
		t.Errorf("the member that was added is gone: %s", out)
	}
	// A settlement that was booked before the loss is worth nothing, whoever sends it: the request is an estimate.
	ask(0, 1, http.StatusOK)
	entries := one.entries("inference")
	last := entries[len(entries)-1]
	if last.BilledSource == "settlement" || !strings.Contains(fmt.Sprint(last.Flags), "settlement_replayed") {
		t.Errorf("%+v", last)
	}
	if acme.purchases() != bought {
		t.Errorf("%d purchases, and %d before: the token that was bought since the backup serves", acme.purchases(), bought)
	}
	spent := 13*40 + last.ExpenseMicros
	settlement.Store(nil)
	// What is left of the day's budget is left for both, and no more.
	for i, served := 0, true; served; i++ {
		code, _, body := f.ask(i%2, "key-of-ada")
		switch code {
		case http.StatusOK:
			spent += 40
		case http.StatusPaymentRequired:
			served = false
		default:
			t.Fatalf("status %d: %s", code, body)
		}
	}
	if spent > 1_000 {
		t.Errorf("%d micros of 1000 are spent", spent)
	}
	eventually(t, "the store knows what is spent", func() bool {
		for _, b := range status(other).Budgets {
			if b.Name == "ada" && strings.HasPrefix(b.Scope, "d") && int64(b.Spent) == spent {
				return f.spent("ada") == spent
			}
		}
		return false
	})
	for _, c := range f.gateways {
		c.verify()
		eventually(t, "the books of all hold", func() bool {
			code, out, _ := c.says("verify", "--fleet", "--address", c.admin)
			return code == 0 && strings.Contains(out, "hold")
		})
	}
}
