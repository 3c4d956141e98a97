package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// till is a gateway's books and desk. What is on its disk outlives the process.
type till struct {
	key    string
	disk   map[string]*TokenPart
	sealed map[string][]byte
	waste  map[string]money.Micros
	over   map[string]money.Micros // spent beyond what was set aside

	held    map[string]money.Micros
	retired map[string]bool
	used    time.Time

	crash int  // so many moves fail from now on
	hasty bool // a fault: what is given back is spent from all the same
	twice bool // a fault: what is granted is booked twice
}

func newTill() *till {
	return &till{
		key: "key", disk: map[string]*TokenPart{}, sealed: map[string][]byte{}, waste: map[string]money.Micros{}, over: map[string]money.Micros{},
		held: map[string]money.Micros{}, retired: map[string]bool{},
	}
}

func (b *till) Parts(context.Context) (all []TokenPart, err error) {
	for _, id := range slices.Sorted(maps.Keys(b.disk)) {
		all = append(all, *b.disk[id])
	}
	return all, nil
}

func (b *till) Part(_ context.Context, id string) (TokenPart, bool, error) {
	if p := b.disk[id]; p != nil {
		return *p, true, nil
	}
	return TokenPart{}, false, nil
}

func (b *till) free(id string) money.Micros {
	if p := b.disk[id]; p != nil && !b.retired[id] {
		return max(0, p.Left-b.held[id])
	}
	return 0
}

func (b *till) Use(p TokenPart, _ money.Micros) (money.Micros, time.Time, bool) {
	return b.free(p.ID), b.used, b.disk[p.ID] != nil && !b.retired[p.ID]
}

func (b *till) Move(_ context.Context, id string, sealed []byte, by money.Micros, use bool) error {
	if b.crash > 0 {
		b.crash--
		return errors.New("the books are shut")
	}
	p := b.disk[id]
	if p == nil {
		if sealed == nil {
			return errors.New("no token")
		}
		if b.key != "key" {
			return ErrOtherKey
		}
		p = partSealed(sealed)
		b.disk[id], b.sealed[id] = p, sealed
	}
	p.Shared = true
	switch {
	case by < 0 && use:
		by = -min(-by, b.free(id))
	case by < 0:
		by = -min(-by, p.Left)
	case b.twice:
		by *= 2
	}
	p.Granted += by
	if p.Left += by; b.hasty && by < 0 {
		p.Left -= by
	}
	return nil
}

func (b *till) Retire(p TokenPart, _ string) { b.retired[p.ID] = true }

// dropToken books what is left as waste.
func (b *till) dropToken(id string) {
	b.waste[id] += b.disk[id].Left
	delete(b.disk, id)
	delete(b.retired, id)
}

func (b *till) Seal(_ context.Context, id string) ([]byte, error) { return b.sealed[id], nil }
func (b *till) Proof() []byte                                     { return []byte(b.key) }
func (b *till) Proves(proof []byte) bool                          { return string(proof) == b.key }

// buy has the books have a token that was bought there.
func (b *till) buy(id string, credit money.Micros, expires time.Time) {
	b.disk[id] = &TokenPart{ID: id, Seller: "acme", Origin: "o", Credit: credit, Granted: credit, Left: credit, Bought: time.Now(), Expires: expires}
	b.sealed[id] = fmt.Appendf(nil, "%s %d %d", id, credit, expires.UnixMicro())
}

func partSealed(sealed []byte) *TokenPart {
	p := &TokenPart{Seller: "acme", Origin: "o"}
	var at int64
	if _, err := fmt.Sscanf(string(sealed), "%s %d %d", &p.ID, &p.Credit, &at); err != nil {
		panic(err)
	}
	p.Expires = time.UnixMicro(at)
	return p
}

// spend books a cost, which may be more than what is set aside.
func (b *till) spend(id string, cost money.Micros) {
	p := b.disk[id]
	if short := cost - p.Left; short > 0 {
		p.Granted += short
		p.Left += short
		b.over[id] += short
	}
	p.Left -= cost
}

// sharer is a gateway that shares tokens; spent is what it has of its sellers, by token.
type sharer struct {
	*Tokens
	*till
	link  *link
	epoch uint64
	spent map[string]money.Micros
}

func newSharer(store *fakeStore) *sharer {
	return &sharer{till: newTill(), link: store.link(), spent: map[string]money.Micros{}}
}

func (s *sharer) start(name string) {
	s.epoch++
	s.Tokens = NewTokens(TokensOptions{Store: s.link, Gateway: name, Boot: fmt.Sprint(s.epoch), Epoch: s.epoch, Purse: s.till})
}

// kill ends the process: what it held is booked in full when it starts again.
func (s *sharer) kill(name string) {
	for id, held := range s.held {
		if s.disk[id] != nil && held > 0 {
			s.spent[id] += held
			s.spend(id, held)
		}
	}
	clear(s.held)
	clear(s.retired)
	s.start(name)
}

// hold has a request take of a token, if there is one.
func (s *sharer) hold(amount money.Micros) {
	for _, id := range slices.Sorted(maps.Keys(s.disk)) {
		if s.free(id) >= amount {
			s.held[id] += amount
			s.used = time.Now()
			return
		}
	}
}

// settle ends a request.
func (s *sharer) settle(amount, cost money.Micros) {
	for _, id := range slices.Sorted(maps.Keys(s.held)) {
		if s.held[id] >= amount && s.disk[id] != nil {
			s.held[id] -= amount
			s.spent[id] += cost
			s.spend(id, cost)
			return
		}
	}
}

// drop books what is left of tokens that were retired, when nobody has them any more.
func (s *sharer) drop(ctx context.Context) {
	for _, id := range slices.Sorted(maps.Keys(s.disk)) {
		if s.retired[id] = s.retired[id] || !time.Now().Before(s.disk[id].Expires); !s.retired[id] || s.held[id] > 0 {
			continue
		}
		if s.End(ctx, id, "expired") == nil {
			s.dropToken(id)
		}
	}
}

// sharing drives gateways at random, and gives what is wrong then, or in the end.
func sharing(t *testing.T, seed uint64, patient bool, fault func(*till)) (wrong error) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 7))
		draw := func(n int) money.Micros { return money.Micros(random.IntN(n)) }
		store := newFake()
		all := make([]*sharer, 3)
		for i := range all {
			all[i] = newSharer(store)
			if fault != nil && i == 1 {
				fault(all[i].till)
			}
			all[i].start(fmt.Sprint("g", i))
		}
		credits := map[string]money.Micros{}
		expires := time.Now().Add(time.Hour)
		if seed%4 == 3 {
			expires = time.Now().Add(5 * time.Minute)
		}
		buy := func(s *sharer) {
			id := fmt.Sprint("t", len(credits))
			credits[id] = 200 + draw(300)
			s.buy(id, credits[id], expires)
		}
		buy(all[0])
		ctx := t.Context()
		for range 300 {
			i := random.IntN(3)
			s := all[i]
			switch random.IntN(14) {
			case 0:
				s.link.cut(random.IntN(3) == 0 && !patient)
			case 1:
				s.link.loseNext(random.IntN(3))
			case 2:
				s.crash = random.IntN(2)
			case 3:
				if random.IntN(4) == 0 {
					s.kill(fmt.Sprint("g", i))
				}
			case 4:
				s.Close(ctx)
				s.start(fmt.Sprint("g", i))
			case 5, 6:
				if !s.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 1 + draw(30), After: time.Now()}) && random.IntN(10) == 0 && len(credits) < 4 {
					buy(s)
				}
			case 7, 8, 9:
				s.hold(1 + draw(20))
			case 10, 11:
				amount := 1 + draw(20)
				cost := draw(int(amount) + 1)
				if random.IntN(8) == 0 {
					cost = amount + draw(10)
				}
				s.settle(amount, cost)
			default:
				if s.ready(ctx) {
					s.look(ctx)
				}
				s.drop(ctx)
			}
			if patient {
				time.Sleep(10 * time.Millisecond)
				if wrong = tooMuch(credits, all); wrong != nil {
					return
				}
			} else if random.IntN(5) == 0 {
				time.Sleep(time.Duration(random.IntN(20)) * time.Second)
			}
		}
		for _, s := range all {
			s.link.cut(false)
			s.link.loseNext(0)
			s.crash = 0
			for id, held := range s.held {
				s.held[id] = 0
				if s.disk[id] != nil {
					s.spent[id] += held
					s.spend(id, held)
				}
			}
		}
		for range 90 {
			for _, s := range all {
				if s.ready(ctx) {
					s.look(ctx)
				}
				s.drop(ctx)
			}
			time.Sleep(time.Second)
		}
		wrong = settled(ctx, all[0].Tokens, credits, all, patient)
	})
	return wrong
}

// tooMuch: gateways that are never silent for long have no more set aside in their books, together, than there is, but for what has cost more
// than was held.
func tooMuch(credits map[string]money.Micros, all []*sharer) error {
	for id, credit := range credits {
		var granted, over money.Micros
		for _, s := range all {
			over += s.over[id]
			if p := s.disk[id]; p != nil {
				granted += p.Granted
			} else {
				granted += s.spent[id] + s.waste[id]
			}
		}
		if granted-over > credit {
			return fmt.Errorf("%s: %d of %d are set aside, beside %d over", id, granted, credit, over)
		}
	}
	return nil
}

// settled: in the end the store and all books agree, and each micro of a token is spent, left, waste, or free for all: none is lost, and none
// is there twice but what has cost more than was set aside, and what a gateway spends that was silent after others had its part.
func settled(ctx context.Context, t *Tokens, credits map[string]money.Micros, all []*sharer, patient bool) error {
	now, err := readPools(ctx, t.o.Store)
	if err != nil {
		return err
	}
	for id, credit := range credits {
		var spent, left, waste, over money.Micros
		p := now[id]
		if p == nil { // it was spent before anybody heard of it, and nothing of it is free
			p = new(pool)
		}
		for _, s := range all {
			spent += s.spent[id]
			waste += s.waste[id]
			over += s.over[id]
			b, one := s.disk[id], p.Parts[s.o.Gateway]
			if b == nil {
				continue
			}
			left += b.Left
			if p.Parts == nil {
				continue
			}
			if one == nil || one.Granted != b.Granted || one.Spent != b.Spent() || b.Spent() != s.spent[id] {
				return fmt.Errorf("%s: %s has %+v, has spent %d, and the store has %+v", id, s.o.Gateway, *b, s.spent[id], one)
			}
		}
		free := p.free()
		if p.Over != "" {
			if free = 0; left != 0 {
				return fmt.Errorf("%s is over, and %d are left", id, left)
			}
		}
		sum := spent + left + waste + free
		if sum < credit || sum > credit && (patient && sum-over > credit || p.Over == "" && left > 0) {
			return fmt.Errorf("%s: %d spent, %d left, %d waste, %d free of %d; %s", id, spent, left, waste, free, credit, p.Over)
		}
	}
	return nil
}

// TestTokensInSum has gateways share tokens, buy, crash, be cut off and fall silent, and answers get lost.
func TestTokensInSum(t *testing.T) {
	for seed := range uint64(100) {
		if err := sharing(t, seed, seed%2 == 0, nil); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestTokensMutants: what would spend a micro twice, or lose one, is seen.
func TestTokensMutants(t *testing.T) {
	for name, fault := range map[string]func(*till){
		"what is given back is spent":  func(b *till) { b.hasty = true },
		"what is granted counts twice": func(b *till) { b.twice = true },
	} {
		found := 0
		for seed := range uint64(20) {
			if sharing(t, seed, seed%2 == 0, fault) != nil {
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s: nobody has seen it", name)
		}
	}
}

// twoSharers are two gateways that share what they buy.
func twoSharers(t *testing.T, store *fakeStore) (one, other *sharer) {
	one, other = newSharer(store), newSharer(store)
	one.start("one")
	other.start("other")
	if !one.ready(t.Context()) || !other.ready(t.Context()) {
		t.Fatal("they share nothing")
	}
	return one, other
}

// A token of which the store has not heard yet stays whole where it was bought: while the store is away that gateway spends it, and what it would give back
// then, also at its end or as its time is over, would be nobody's.
func TestTokensOfWhichTheStoreHasNotHeard(t *testing.T) {
	for _, end := range []string{"goes on", "stops", "has its time over"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, ctx, credit := newFake(), t.Context(), money.Micros(800)
				one, other := twoSharers(t, store)
				one.link.cut(true)
				one.buy("t", credit, time.Now().Add(time.Hour))
				shared := make(chan struct{})
				one.Bought("t", func() { close(shared) })
				<-shared
				if free := one.free("t"); free != credit {
					t.Errorf("%d of %d are there while the store is away", free, credit)
				}
				switch end {
				case "stops":
					one.Close(ctx)
					one.kill("one")
				case "has its time over": // by the clock here
					one.link.cut(false)
					if err := one.Expire(ctx, "t", "expired", time.Minute); !errors.Is(err, ErrEarly) {
						t.Error(err)
					}
				}
				one.link.cut(false)
				for range 3 {
					if one.ready(ctx) {
						one.look(ctx)
					}
					<-time.After(time.Second)
				}
				if !other.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: credit / 2, After: time.Now()}) {
					t.Errorf("the others have nothing of it, and its gateway has %d", one.disk["t"].Left)
				}
				if wrong := settled(ctx, one.Tokens, map[string]money.Micros{"t": credit}, []*sharer{one, other}, true); wrong != nil {
					t.Error(wrong)
				}
			})
		})
	}
}

// A token of which a store that was restored from a dump knows nothing is there again, though all gateways have given back all that they had of it; one that
// is over is not.
func TestTokensThatAStoreHasForgotten(t *testing.T) {
	for _, used := range []money.Micros{0, 30} {
		for _, over := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d were spent, over: %v", used, over), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store, ctx, credit := newFake(), t.Context(), money.Micros(800)
					one, other := twoSharers(t, store)
					dump := maps.Clone(store.values)
					one.buy("t", credit, time.Now().Add(90*24*time.Hour))
					one.spend("t", used)
					one.spent["t"] = used
					one.look(ctx)
					one.Close(ctx)
					if left := one.disk["t"].Left; left != 0 {
						t.Fatalf("it keeps %d", left)
					}
					loan := Loan{Seller: "acme", Origin: "o", Need: credit / 2, After: time.Now()}
					if over {
						if !other.Borrow(ctx, loan) || other.End(ctx, "t", "refused") != nil {
							t.Fatal("it does not end")
						}
						other.dropToken("t")
						<-time.After(2 * keepOver)
						other.look(ctx)
						other.look(ctx)
					} else {
						store.values = dump
					}
					one.start("one")
					if !one.ready(ctx) {
						t.Fatal("it shares nothing")
					}
					one.look(ctx)
					if lent := other.Borrow(ctx, loan); lent == over {
						t.Errorf("the other gateway has of it: %v", lent)
					}
					if wrong := settled(ctx, one.Tokens, map[string]money.Micros{"t": credit}, []*sharer{one, other}, true); wrong != nil {
						t.Error(wrong)
					}
				})
			})
		}
	}
}

// A token whose seller says that it never ends, by a year that no number of nanoseconds reaches, is shared as any other.
func TestTokensWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx, credit := newFake(), t.Context(), money.Micros(800)
		one, other := twoSharers(t, store)
		one.buy("t", credit, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
		one.look(ctx)
		other.look(ctx)
		if !other.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: credit / 2, After: time.Now()}) {
			t.Error("nothing of it is lent")
		}
		one.look(ctx)
		if all, err := readPools(ctx, store.link()); err != nil || len(all) != 1 || time.Unix(0, all["t"].Expires).Year() < 2200 {
			t.Errorf("the store has %v, %v", all, err)
		}
		if wrong := settled(ctx, one.Tokens, map[string]money.Micros{"t": credit}, []*sharer{one, other}, true); wrong != nil {
			t.Error(wrong)
		}
	})
}

// What has become of a token since the dump that a store was restored from, or since what its standby had, a gateway that has seen it knows: what has ended is
// neither lent nor wasted once more, and nothing is lost of what ends meanwhile.
func TestTokensSinceADump(t *testing.T) {
	loan := Loan{Seller: "acme", Origin: "o", Need: 100}
	for _, bought := range []string{"before", "after"} {
		for _, ends := range []string{"before", "after"} {
			t.Run("bought "+bought+" the dump, and over "+ends+" the restore", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store, ctx, credit := newFake(), t.Context(), money.Micros(800)
					one, other := twoSharers(t, store)
					third := newSharer(store)
					third.start("third") // which has seen nothing
					dump := maps.Clone(store.values)
					one.buy("t", credit, time.Now().Add(time.Hour))
					one.look(ctx)
					loan := loan
					loan.After = time.Now()
					if !other.Borrow(ctx, loan) {
						t.Fatal("nothing is lent")
					}
					if bought == "before" {
						dump = maps.Clone(store.values)
					}
					one.spend("t", 30)
					other.spend("t", 50)
					one.spent["t"], other.spent["t"] = 30, 50
					looks := func() {
						for _, s := range []*sharer{one, other, third} {
							if s.ready(ctx) {
								s.look(ctx)
							}
							if ends == "before" || !time.Now().Before(loan.After.Add(time.Hour)) {
								s.drop(ctx)
							}
						}
					}
					looks()
					if ends == "before" {
						one.retired["t"] = true
						for range 3 {
							looks()
						}
						if one.disk["t"] != nil || other.disk["t"] != nil {
							t.Fatal("it does not end")
						}
					} else {
						<-time.After(time.Hour)
					}
					store.values = maps.Clone(dump)
					if third.Borrow(ctx, loan) && ends == "before" {
						looks()
					}
					for range 100 {
						looks()
						<-time.After(time.Second)
					}
					var wasted money.Micros
					for _, s := range []*sharer{one, other, third} {
						wasted += s.waste["t"]
						if s.disk["t"] != nil {
							t.Errorf("%s has %+v", s.o.Gateway, s.disk["t"])
						}
					}
					if wasted != credit-80 {
						t.Errorf("%d of %d are wasted, and 80 were spent", wasted, credit)
					}
				})
			})
		}
	}
}

// A token that is over for all does not come back by books that were restored from a backup of before its end, which have an empty part of it.
func TestTokensThatAreOverStayOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx := newFake(), t.Context()
		one := newSharer(store)
		one.start("one")
		one.buy("t", 800, time.Now().Add(90*24*time.Hour))
		one.spend("t", 30)
		one.ready(ctx)
		one.look(ctx)
		part := *one.disk["t"]
		if err := one.End(ctx, "t", "refused"); err != nil {
			t.Fatal(err)
		}
		one.dropToken("t")
		<-time.After(2 * keepOver)
		one.look(ctx)
		part.Granted, part.Left, part.Restored = part.Spent(), 0, true
		one.disk["t"] = &part
		one.start("one")
		one.ready(ctx)
		one.look(ctx)
		if all, err := readPools(ctx, store.link()); err != nil || len(all) > 0 {
			t.Errorf("it is there again: %v, %v", all, err)
		}
	})
}

// TestTokenIsWastedOnce: what a gateway has spent beyond its part is in none of the others' at the end, so nothing is wasted of a token that was
// spent whole.
func TestTokenIsWastedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx, credit := newFake(), t.Context(), money.Micros(100)
		var all [2]*sharer
		for i := range all {
			all[i] = newSharer(store)
			all[i].start(fmt.Sprint("g", i))
			all[i].ready(ctx)
		}
		all[0].buy("t", credit, time.Now().Add(time.Minute))
		all[0].look(ctx)
		if !all[1].Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 20, After: time.Now()}) {
			t.Fatal("nothing was lent")
		}
		all[0].spend("t", credit) // the seller has billed more than was likely
		time.Sleep(2 * time.Minute)
		for _, s := range all {
			s.look(ctx)
			s.drop(ctx)
		}
		if wasted := all[0].waste["t"] + all[1].waste["t"]; wasted != 0 || all[0].disk["t"] != nil || all[1].disk["t"] != nil {
			t.Errorf("%d are wasted of a token of which all was spent", wasted)
		}
	})
}
