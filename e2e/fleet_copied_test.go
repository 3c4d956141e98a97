package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFleetCopied starts a copy of a gateway's directory as a fourth one, beside the first or as another process that was started more often.
// One of the two is fenced, and what all of them spend is within the budgets.
func TestFleetCopied(t *testing.T) {
	for name, oftener := range map[string]bool{"as often": false, "started more often": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleetTrade(t, 3, 20_000, 5_000, "own")
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			clients := f.trade(ctx, 4)
			pause(ctx, time.Second)
			stop()
			clients()
			pause(t.Context(), 100*time.Millisecond) // what is settled is on the disk then: else each of the two books it once more, by its hold
			first := f.gateways[0]
			first.kill()
			copied := f.copy(first)
			if oftener {
				copied.start()
				copied.kill()
			}
			if first.refusedByFleet() { // of what the copy has shipped already
				f.gateways[0] = copied
				copied.start()
				f.audit()
				f.finish()
				return
			}
			if copied.refusedByFleet() {
				f.audit()
				f.finish()
				return
			}
			f.gateways = append(f.gateways, copied)
			f.away = append(f.away, nil)
			defer f.without(0, 3)() // a fenced one says that the fleet is not there
			ctx, stop = context.WithCancel(t.Context())
			defer stop()
			clients = f.trade(ctx, 8)
			eventually(t, "one of the two is fenced", func() bool {
				return first.fleetSaid().Here.Fenced || copied.fleetSaid().Here.Fenced
			})
			pause(ctx, time.Second)
			stop()
			clients()
			one, other := first.fleetSaid().Here.Fenced, copied.fleetSaid().Here.Fenced
			f.fencedAnswer(0, one)
			f.fencedAnswer(3, other)
			if one && other { // what the first has shipped before it was fenced is not in the books of the other
				t.Logf("both are fenced:\n%s\n%s", first.log.lines("fleet.fenced"), copied.log.lines("fleet.fenced"))
			}
			for _, c := range f.gateways {
				c.verify() // each has books of its own that hold
			}
			f.audit()
			if one && other {
				f.startAlone(first, copied)
			}
			f.finish()
		})
	}
}

// fencedAnswer asks a gateway for one with a large budget: one that is fenced serves nobody.
func (f *fleetTrade) fencedAnswer(gateway int, fenced bool) {
	want := http.StatusOK
	if fenced {
		want = http.StatusServiceUnavailable
	}
	if status := f.request(http.DefaultClient, gateway, "large", fmt.Sprint("last-", gateway)); status != want {
		f.wrong("gateway %d answers with %d, fenced: %v", gateway, status, fenced)
	}
}

// refusedByFleet starts a gateway, and tells whether it has not, as its books are not those of the fleet.
func (c *caddy) refusedByFleet() bool {
	c.t.Helper()
	c.log = new(output)
	c.launch()
	eventually(c.t, "it serves, or ends", func() bool {
		select {
		case <-c.exited:
			return true
		default:
			return c.log.has("serving initial configuration")
		}
	})
	if c.log.has("serving initial configuration") {
		return false
	}
	if said := c.log.lines("loading initial config"); !strings.Contains(said, "fenced") && !strings.Contains(said, "the fleet has") && !strings.Contains(said, "copied") {
		c.t.Fatalf("it does not start:\n%s", c.log)
	}
	c.t.Logf("refused at the start:\n%s", c.log.lines("loading initial config"))
	return true
}

// startAlone has the first serve again, without the copy: once it was started oftener than that.
func (f *fleetTrade) startAlone(first, copied *caddy) {
	f.t.Helper()
	copied.kill()
	f.gateways = f.gateways[:3]
	for n := range 3 {
		first.kill()
		first.start()
		if f.request(http.DefaultClient, 0, "large", fmt.Sprint("alone-", n)) == http.StatusOK {
			f.t.Logf("it serves after %d starts", n+1)
			return
		}
	}
	f.wrong("the first does not serve again:\n%s", first.log.lines("fleet.fenced"))
}

// copy prepares a gateway that has a copy of the directory of one that does not run.
func (f *fleetTrade) copy(of *caddy) *caddy {
	f.t.Helper()
	c := newCaddy(f.t, "")
	config, err := os.ReadFile(of.caddyfile())
	if err == nil {
		err = os.CopyFS(filepath.Join(c.dir, "data"), os.DirFS(filepath.Join(of.dir, "data")))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	c.env = of.env
	c.write(strings.NewReplacer(of.site, c.site, of.admin, c.admin).Replace(string(config)))
	return c
}

// lines are those with these words in them.
func (o *output) lines(words string) string {
	var all []string
	for line := range strings.Lines(o.String()) {
		if strings.Contains(line, words) {
			all = append(all, line)
		}
	}
	return strings.Join(all, "")
}
