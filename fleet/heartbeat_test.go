package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

// Of two processes on copies of one directory that both have new entries one goes on: that which was started more often on it, else the
// first to speak. The other ships nothing, so that the one that goes on is not fenced by entries that it does not have.
func TestOneOfTwoCopiesShips(t *testing.T) {
	for _, epoch := range []uint64{1, 2} {
		t.Run(fmt.Sprint(epoch), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := fleettest.NewMemory()
				process := func(epoch uint64, boot string, j *journal) (*fleet.Fleet, *fleet.Shipper) {
					f := fleet.New(fleet.Options{Store: store, Gateway: "g", Epoch: epoch, Boot: boot})
					s := fleet.NewShipper(fleet.ShipperOptions{Store: store, Gateway: "g", Source: j, Speaks: f.Speaks, Fenced: f.Fence})
					if err := s.Check(t.Context()); err != nil {
						t.Fatal(err)
					}
					return f, s
				}
				one, two := booked("a", 10), booked("a", 10)
				first, firstShips := process(1, "first", one)
				if err := firstShips.Ship(t.Context()); err != nil {
					t.Fatal(err)
				}
				second, secondShips := process(epoch, "second", two)
				defer func() {
					ctx, stop := context.WithTimeout(context.WithoutCancel(t.Context()), time.Second)
					defer stop()
					_, _ = first.Close(ctx), second.Close(ctx)
				}()
				second.Start()
				time.Sleep(time.Millisecond) // it speaks; the first does next in ten seconds
				one.book("one", "")
				two.book("two", "")
				goes, ends := firstShips, secondShips
				good, left, fenced := one, first, second
				if epoch == 2 {
					goes, ends, good, left, fenced = secondShips, firstShips, two, second, first
				}
				for range 2 {
					if err := ends.Ship(t.Context()); !errors.Is(err, fleet.ErrFenced) {
						t.Errorf("the other: %v", err)
					}
					if err := goes.Ship(t.Context()); err != nil {
						t.Error(err)
					}
				}
				same(t, store, "g", good, 11)
				if left.State().Fenced || !fenced.State().Fenced {
					t.Errorf("fenced are %v and %v", left.State().Fenced, fenced.State().Fenced)
				}
			})
		})
	}
}

// A gateway that ships nothing says how many entries it has, and one with fewer of them, or with others, is not it.
func TestBooksThatAreNotShippedAreKnown(t *testing.T) {
	for name, c := range map[string]struct {
		had, has *journal
		want     error
	}{
		"more":          {booked("a", 3), booked("a", 5), nil},
		"the same":      {booked("a", 3), booked("a", 3), nil},
		"none, before":  {booked("a", 0), booked("a", 3), nil},
		"fewer":         {booked("a", 3), booked("a", 2), fleet.ErrBehind},
		"none any more": {booked("a", 3), booked("a", 0), fleet.ErrBehind},
		"others":        {booked("a", 3), booked("b", 3), fleet.ErrFork},
		"more, others":  {booked("a", 3), booked("b", 5), fleet.ErrFork},
	} {
		for _, away := range []bool{false, true} { // while it starts
			t.Run(fmt.Sprint(name, ", away: ", away), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					store := fleettest.NewMemory()
					process := func(epoch uint64, j *journal) (*fleet.Fleet, error) {
						f := fleet.New(fleet.Options{Store: store, Gateway: "g", Epoch: epoch, Own: j.Head})
						return f, f.Precedes(t.Context(), func(_ context.Context, seq uint64) (string, error) { return j.rows[seq-1].Hash, nil })
					}
					first, err := process(1, c.had)
					if err != nil {
						t.Fatal(err)
					}
					if err := first.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					second, err := process(2, c.has)
					if !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, fleet.ErrFenced) {
						t.Errorf("%v", err)
					}
					if !away {
						return
					}
					second.Start() // it could not be asked
					time.Sleep(time.Millisecond)
					if fenced := second.State().Fenced; fenced != (c.want != nil) && name != "more, others" {
						t.Errorf("fenced: %v", fenced)
					}
					if err := second.Close(t.Context()); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}
