package fleet_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

// journal is a gateway's own, in memory.
type journal struct {
	mu        sync.Mutex
	rows      []fleet.Row
	retracted map[uint64]int // by entry: how often it was told
	refuse    error          // of Retract
	corrects  bool           // Retract books an entry, the first time
	last      uint64         // that entry
}

// book adds an entry of a settlement; empty: of none.
func (j *journal) book(of, settlement string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.rows)
	r := fleet.Row{Seq: uint64(n + 1), ID: fmt.Sprint(of, n), At: time.Now(), Kind: "inference", Seller: "acme", SettlementID: settlement, IdempotencyKey: "k-" + settlement}
	if n > 0 {
		r.Previous = j.rows[n-1].Hash
	}
	plain := fmt.Sprintf(`{"id":%q,"hash":"`, r.ID)
	sum := sha256.Sum256([]byte(r.Previous + plain + `"}`))
	r.Hash = hex.EncodeToString(sum[:])
	r.Entry = []byte(plain + r.Hash + `"}`)
	j.rows = append(j.rows, r)
}

func booked(of string, n int) *journal {
	j := &journal{retracted: map[uint64]int{}}
	for range n {
		j.book(of, "")
	}
	return j
}

func (j *journal) Rows(_ context.Context, after uint64, most int, yield func(fleet.Row) error) error {
	j.mu.Lock()
	rows := j.rows
	j.mu.Unlock()
	for _, r := range rows[min(after, uint64(len(rows))):] {
		if err := yield(r); err != nil {
			return err
		}
		if most--; most == 0 {
			break
		}
	}
	return nil
}

func (j *journal) Head(context.Context) (uint64, string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.rows) == 0 {
		return 0, "", nil
	}
	last := j.rows[len(j.rows)-1]
	return last.Seq, last.Hash, nil
}

func (j *journal) Retract(_ context.Context, t fleet.Twin) error {
	if j.refuse != nil {
		return j.refuse
	}
	if j.retracted[t.Seq]++; j.corrects && j.retracted[t.Seq] == 1 {
		j.book("back", "")
		j.last, _, _ = j.Head(context.Background())
	}
	return nil
}

func (j *journal) LastRetraction() uint64 { return j.last }

func shipper(store fleet.Store, gateway string, from fleet.Source) *fleet.Shipper {
	return fleet.NewShipper(fleet.ShipperOptions{Store: store, Gateway: gateway, Source: from})
}

// same checks that the store has the first n entries of the journal, each once.
func same(t *testing.T, store fleet.Store, gateway string, j *journal, n int) {
	t.Helper()
	var c fleet.Chain
	err := store.Journal(t.Context(), gateway, 0, func(r fleet.Row) error {
		if err := c.Next(&r); err != nil {
			return err
		}
		if r.Hash != j.rows[r.Seq-1].Hash {
			return errors.New("it is another entry")
		}
		return nil
	})
	if err != nil || c.Entries != uint64(n) {
		t.Errorf("the store has %d of %d entries, %v", c.Entries, n, err)
	}
}

// A process that is killed anywhere between two of its steps, in each of which the store may not hear or not answer, ships each entry once, and
// has each twin retracted.
func TestShipperIsKilled(t *testing.T) {
	for lost := range 24 {
		for _, loss := range []fleettest.Loss{fleettest.Question, fleettest.Answer} {
			store := fleettest.NewMemory()
			other := booked("other", 0)
			for i := range 10 {
				other.book("other", fmt.Sprint("s", i))
			}
			if err := shipper(store, "other", other).Ship(t.Context()); err != nil {
				t.Fatal(err)
			}
			j := booked("mine", 300)
			j.book("mine", "s3")
			for range 300 {
				j.book("mine", "")
			}
			j.book("mine", "s7")
			link := fleettest.NewLink(store)
			n := 0
			link.Lose(func() fleettest.Loss {
				if n++; n == lost+1 {
					return loss
				}
				return fleettest.Nothing
			})
			for range 3 { // each is another process
				_ = shipper(link, "mine", j).Ship(t.Context())
			}
			same(t, store, "mine", j, 602)
			if j.retracted[301] == 0 || j.retracted[602] == 0 || len(j.retracted) != 2 {
				t.Errorf("lost %d: retracted were %v", lost, j.retracted)
			}
		}
	}
}

// Who is killed after rows were added and before a twin was retracted is told of it again.
func TestShipperIsKilledBeforeRetracting(t *testing.T) {
	store := fleettest.NewMemory()
	other := booked("other", 0)
	other.book("other", "s")
	if err := shipper(store, "other", other).Ship(t.Context()); err != nil {
		t.Fatal(err)
	}
	j := booked("mine", 5)
	j.book("mine", "s")
	for range 400 {
		j.book("mine", "")
	}
	j.refuse = errors.New("killed")
	if err := shipper(store, "mine", j).Ship(t.Context()); !errors.Is(err, j.refuse) {
		t.Fatal(err)
	}
	same(t, store, "mine", j, 256) // nothing more before that is done
	j.refuse = nil
	if err := shipper(store, "mine", j).Ship(t.Context()); err != nil || j.retracted[6] != 1 {
		t.Errorf("%v, retracted were %v", err, j.retracted)
	}
	same(t, store, "mine", j, 406)
}

// What takes a cost back comes behind all that waits in the ledger: until then it is said of which entry on it is due. A process that was started
// meanwhile says that it may be any, however far behind them it is.
func TestShipperOwes(t *testing.T) {
	store := fleettest.NewMemory()
	other := booked("other", 0)
	other.book("other", "s")
	if err := shipper(store, "other", other).Ship(t.Context()); err != nil {
		t.Fatal(err)
	}
	j := booked("mine", 99)
	j.corrects = true
	j.book("mine", "s")
	for range 900 {
		j.book("mine", "")
	}
	killed := errors.New("killed")
	var s *fleet.Shipper
	var due []uint64
	for round := range 3 {
		s = fleet.NewShipper(fleet.ShipperOptions{Store: store, Gateway: "mine", Source: j, Speaks: func(context.Context) error {
			if due = append(due, s.Due()); len(due) == 2 || len(due) == 4 {
				return killed
			}
			return nil
		}})
		if err := s.Ship(t.Context()); round < 2 && !errors.Is(err, killed) || round == 2 && err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(due) != "[0 100 1 1 1 1]" || s.Due() != 0 {
		t.Errorf("before each step there was due %d, and in the end %d", due, s.Due())
	}
	same(t, store, "mine", j, 1001)
}

// What has been taken back is due no more where another cost is due by then.
func TestShipperOwesAgain(t *testing.T) {
	store := fleettest.NewMemory()
	other := booked("other", 0)
	other.book("other", "s1")
	other.book("other", "s2")
	if err := shipper(store, "other", other).Ship(t.Context()); err != nil {
		t.Fatal(err)
	}
	j := booked("mine", 99)
	j.corrects = true
	s := shipper(store, "mine", j)
	for _, c := range []struct {
		settlement string
		due        uint64
	}{{"s1", 100}, {"s2", 102}, {"", 0}} {
		j.book("mine", c.settlement)
		if err := s.Ship(t.Context()); err != nil || s.Due() != c.due {
			t.Errorf("after %q there is due %d, want %d; %v", c.settlement, s.Due(), c.due, err)
		}
	}
}

// Books that are not those that were shipped are told so, and never ship.
func TestShipperRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		shipped, own *journal
		want         error
		says         string
	}{
		"behind":      {booked("a", 300), booked("a", 290), fleet.ErrBehind, "the fleet has 300 of these entries, the directory 290: put the newest directory back, or restore a backup with --fleet"},
		"a fork":      {booked("a", 300), booked("b", 300), fleet.ErrFork, ""},
		"a long fork": {booked("a", 300), booked("b", 900), fleet.ErrFork, ""},
	} {
		t.Run(name, func(t *testing.T) {
			store := fleettest.NewMemory()
			if err := shipper(store, "g", c.shipped).Ship(t.Context()); err != nil {
				t.Fatal(err)
			}
			var told error
			s := fleet.NewShipper(fleet.ShipperOptions{Store: store, Gateway: "g", Source: c.own, Fenced: func(err error) { told = err }})
			if err := s.Check(t.Context()); !errors.Is(err, c.want) || !errors.Is(err, fleet.ErrFenced) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("at the start: %v", err)
			}
			for range 2 {
				if err := s.Ship(t.Context()); !errors.Is(err, fleet.ErrFenced) || !errors.Is(told, c.want) {
					t.Errorf("%v, and told was %v", err, told)
				}
			}
			same(t, store, "g", c.shipped, 300)
		})
	}
}

// Two processes that ship the same books do no harm; once one of them has another entry, one of them stops.
func TestTwoShippers(t *testing.T) {
	store := fleettest.NewMemory()
	a, b := booked("a", 10), booked("a", 10)
	one, two := shipper(store, "g", a), shipper(store, "g", b)
	for _, s := range []*fleet.Shipper{one, two, one, two} {
		if err := s.Ship(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a.book("one", "")
	b.book("two", "")
	if err := errors.Join(one.Ship(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := two.Ship(t.Context()); !errors.Is(err, fleet.ErrFork) {
		t.Error(err)
	}
	same(t, store, "g", a, 11)
}

// While the store is away entries wait, and it is known for how long; what a store has forgotten is shipped again.
func TestShipperWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleettest.NewMemory()
		link := fleettest.NewLink(store)
		j := booked("a", 3)
		s := shipper(link, "g", j)
		s.Start()
		time.Sleep(2 * time.Second)
		if last, _ := s.Head(); last != 3 || s.Lag() != 0 {
			t.Errorf("shipped are %d, lag %s", last, s.Lag())
		}
		link.Cut(true)
		j.book("a", "")
		time.Sleep(time.Minute)
		if lag := s.Lag(); lag < 55*time.Second || lag > time.Minute {
			t.Errorf("lag is %s", lag)
		}
		link.Cut(false)
		time.Sleep(2 * time.Second)
		if last, _ := s.Head(); last != 4 || s.Lag() != 0 {
			t.Errorf("shipped are %d, lag %s", last, s.Lag())
		}
		store.Forget(1)
		j.book("a", "")
		time.Sleep(5 * time.Second)
		same(t, store, "g", j, 5)
		j.book("a", "")
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		same(t, store, "g", j, 6)
	})
}

// The entries of all gateways come by their times, an entry that two of them have once, and no more than there were at the beginning.
func TestJournals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleettest.NewMemory()
		a, b := booked("a", 0), booked("b", 0)
		for i := range 40 {
			time.Sleep(time.Second)
			if i%3 == 0 {
				a.book("a", "")
			} else {
				b.book("b", "")
			}
		}
		c := &journal{rows: append([]fleet.Row(nil), a.rows...)} // a copy that has an identity of its own since
		time.Sleep(time.Second)
		c.book("c", "")
		for name, j := range map[string]*journal{"a": a, "b": b, "c": c} {
			if err := shipper(store, name, j).Ship(t.Context()); err != nil {
				t.Fatal(err)
			}
			f := fleet.New(fleet.Options{Store: store, Gateway: name, Name: "gw-" + name, Epoch: 1})
			if err := f.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		all, err := fleet.ReadJournals(t.Context(), store, "b")
		if err != nil || len(all.Gateways) != 3 || all.Total() != 14+26+15 || !all.Gateways[1].Self || all.Gateways[0].Name != "gw-a" {
			t.Fatalf("%+v, %v", all, err)
		}
		a.book("a", "")
		if err := shipper(store, "a", a).Ship(t.Context()); err != nil {
			t.Fatal(err)
		}
		var last time.Time
		n := 0
		err = all.Each(t.Context(), func(_ string, r fleet.Row) error {
			n++
			if r.At.Before(last) {
				t.Errorf("%s comes after %s", r.At, last)
			}
			last = r.At
			return nil
		})
		if err != nil || n != 41 {
			t.Errorf("%d entries, %v", n, err)
		}
		enough := errors.New("enough")
		if err := all.Each(t.Context(), func(string, fleet.Row) error { return enough }); !errors.Is(err, enough) {
			t.Error(err)
		}
	})
}

// What a store has lost, as when a backup of it was put back, is shipped again, also where nothing new is booked.
func TestShipperAfterARestore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := &struct{ fleet.Store }{fleettest.NewMemory()}
		j := booked("a", 300)
		s := shipper(store, "g", j)
		for _, wait := range []time.Duration{0, time.Minute} {
			time.Sleep(wait)
			if err := s.Ship(t.Context()); err != nil {
				t.Fatal(err)
			}
			same(t, store, "g", j, 300)
			store.Store = fleettest.NewMemory()
		}
	})
}
