package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

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
