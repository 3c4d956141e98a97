package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestKilledOverMidnight kills a process of a fleet in the middle of its work, around midnight. What the next one tells the fleet of
// each day is to the micro what the entries say of the requests that began on it, those that were under way too.
func TestKilledOverMidnight(t *testing.T) {
	const variable, nth = "LEDGER_OF_A_FLEET_TO_BE_KILLED_IN", "LEDGER_OF_A_FLEET_ROUND"
	if dir := os.Getenv(variable); dir != "" {
		round, _ := strconv.Atoi(os.Getenv(nth))
		workOverMidnight(t, dir, round)
		return
	}
	dir := t.TempDir()
	recovered, over := 0, 0 // of all rounds
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledOverMidnight$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", variable, dir), fmt.Sprintf("%s=%d", nth, round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		enough := 50 + 40*round // once midnight is over
		said, next := 0, "settled "+late.AddDate(0, 0, round+1).Format(time.DateOnly)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), next) {
				said++
			}
			if said == enough {
				_ = cmd.Process.Kill()
			}
		}
		if cmd.Wait() == nil || said < enough {
			t.Fatalf("round %d: the process ended by itself after %d requests", round, said)
		}
		l, f := join(t, ledger.Options{Dir: dir, Now: func() time.Time { return late.AddDate(0, 0, round).Add(12 * time.Hour) }})
		mustVerify(t, l)
		want := map[string]money.Micros{}
		if err := l.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
			id, cost := "", money.Micros(0)
			switch {
			case e.Served != nil:
				id, cost = e.Served.RequestID, e.Served.ExpenseMicros
				if len(e.Served.Flags) > 0 {
					recovered++
				}
			case e.Attempt != nil:
				id, cost = e.Attempt.RequestID, e.Attempt.CountedMicros
			default:
				return nil
			}
			day, _, _ := strings.Cut(id, "/")
			want[day] += cost
			if day != e.Time.Format("2006-01-02") {
				over++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		_ = l.Reserve("ann", daily)
		if got := f.of(t, "ann").began[0]; !maps.Equal(got, want) {
			t.Errorf("round %d: the fleet is told %v, and the entries say %v", round, got, want)
		}
		closed(t, l)
	}
	if recovered == 0 || over == 0 {
		t.Errorf("%d requests were recovered, %d went over midnight", recovered, over)
	}
}

// workOverMidnight holds and settles until it is killed. Its clock goes on with each look at it.
func workOverMidnight(t *testing.T, dir string, round int) {
	var looks atomic.Int64
	l, _ := join(t, ledger.Options{Dir: dir, Now: func() time.Time {
		return late.AddDate(0, 0, round).Add(-5*time.Second + time.Duration(looks.Add(1))*5*time.Millisecond)
	}})
	token := ledger.NewID()
	buy(t, l, token, "acme", money.USD)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				r := l.Reserve("ann", ledger.Budget{Daily: money.Max, Weekly: -1, Monthly: -1})
				if err := r.Hold(context.Background(), 100); err != nil {
					t.Error(err)
					return
				}
				h := hold(ledger.NewID(), "acme", token)
				h.Periods, h.Shape.BodyBytes, h.Shape.MaxOutput = r.Periods(), 100, 10
				h.RequestID = h.Periods[0] + "/" + h.ID
				if err := l.PlaceHold(h).Wait(context.Background()); err != nil {
					t.Error(err)
					return
				}
				in := inference(h, 3)
				in.Budget, in.Settlement = r, settlement("w-"+h.ID, 2)
				l.Waste(in)
				in.Settlement = settlement("s-"+h.ID, 7)
				if _, err := l.Settle(in).Wait(context.Background()); err != nil {
					t.Error(err)
					return
				}
				fmt.Println("settled", h.RequestID)
			}
		})
	}
	wg.Wait()
}
