package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestKilled kills a process in the middle of its work. All that it was told is durable must be there afterwards: each
// request that had a hold has exactly one entry, settled by the dead process or by the one after it.
func TestKilled(t *testing.T) {
	const variable = "LEDGER_TO_BE_KILLED_IN"
	if dir := os.Getenv(variable); dir != "" {
		work(t, dir)
		return
	}
	dir := t.TempDir()
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", variable, dir))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{} // request → settled, else held
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if what, id, ok := strings.Cut(lines.Text(), " "); ok && (what == "held" || what == "settled") {
				told[id] = told[id] || what == "settled"
			}
			if len(told) == 400 {
				_ = cmd.Process.Kill() // what it still says is read to its end
			}
		}
		if cmd.Wait() == nil || len(told) < 400 {
			t.Fatalf("round %d: the process ended by itself after %d requests", round, len(told))
		}
		l := open(t, ledger.Options{Dir: dir})
		mustVerify(t, l)
		booked := map[string]*ledger.Entry{}
		if err := l.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
			if e.Served == nil {
				return nil
			}
			if booked[e.RequestID] != nil {
				t.Errorf("%s is booked twice", e.RequestID)
			}
			booked[e.RequestID] = e
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for id, settled := range told {
			switch e := booked[id]; {
			case e == nil:
				t.Errorf("round %d: %s is lost (settled: %t)", round, id, settled)
			case settled && e.BilledSource != billing.SourceSettlement:
				t.Errorf("round %d: %s was settled, and is booked as %s", round, id, e.BilledSource)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// work holds and settles until it is killed, and says what is durable.
func work(t *testing.T, dir string) {
	l := open(t, ledger.Options{Dir: dir})
	token := ledger.NewID()
	buy(t, l, token, "acme", money.USD)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				h := hold(ledger.NewID(), "acme", token)
				if err := l.PlaceHold(h).Wait(context.Background()); err != nil {
					t.Error(err)
					return
				}
				fmt.Println("held", h.RequestID)
				if _, err := l.Settle(inference(h, 1)).Wait(context.Background()); err != nil {
					t.Error(err)
					return
				}
				fmt.Println("settled", h.RequestID)
			}
		})
	}
	wg.Wait()
}
