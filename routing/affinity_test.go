package routing

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

func conversation(i int) (key [16]byte) {
	binary.LittleEndian.PutUint64(key[:8], maphash.Comparable(seed, i))
	binary.LittleEndian.PutUint64(key[8:], uint64(i))
	return key
}

func TestAffinity(t *testing.T) {
	a := NewAffinity(1000)
	one, two := SellerKey{"a", "https://a.example"}, SellerKey{"b", "https://b.example"}
	get := func(i int, at time.Duration, want SellerKey) {
		t.Helper()
		if got, ok := a.Get(conversation(i), noon.Add(at)); got != want || ok != (want != SellerKey{}) {
			t.Errorf("conversation %d after %s: %v, %v; want %v", i, at, got, ok, want)
		}
	}
	get(1, 0, SellerKey{})
	a.Put("ada", conversation(1), one, noon, 10*time.Minute)
	a.Put("ada", conversation(2), two, noon, 10*time.Minute)
	get(1, 0, one)
	get(2, 10*time.Minute-1, two)
	get(2, 10*time.Minute, SellerKey{})
	a.Put("ada", conversation(1), one, noon.Add(9*time.Minute), 10*time.Minute) // used again
	get(1, 18*time.Minute, one)
	a.Put("ada", conversation(1), two, noon.Add(18*time.Minute), time.Minute)
	get(1, 18*time.Minute, two)
	get(1, 19*time.Minute, SellerKey{})
	a.Put("ada", conversation(3), one, noon, 0)
	get(3, 0, SellerKey{})
	if n := a.sellers.len(); n != 2 {
		t.Errorf("%d places for 2 conversations", n)
	}
	a = nil
	a.Put("ada", conversation(1), one, noon, time.Minute)
	get(1, 0, SellerKey{})
}

// However many conversations there are, their number is bounded, and those used of late are there.
func TestAffinityIsBounded(t *testing.T) {
	const capacity = 4096
	a := NewAffinity(capacity)
	for i := range 20 * capacity {
		a.Put("ada", conversation(i), SellerKey{ID: "a"}, noon.Add(time.Duration(i)*time.Millisecond), time.Hour)
	}
	if n := a.sellers.len(); n > capacity {
		t.Errorf("%d conversations, and room for %d", n, capacity)
	}
	there := func(from, to int) (n int) {
		for i := from; i < to; i++ {
			if _, ok := a.Get(conversation(i), noon); ok {
				n++
			}
		}
		return n
	}
	if n := there(19*capacity+capacity/2, 20*capacity); n < capacity/2*9/10 {
		t.Errorf("only %d of the newest %d are there", n, capacity/2)
	}
	if n := there(0, 15*capacity); n > 0 {
		t.Errorf("%d old ones are there", n)
	}
}

// A member that has a million conversations does not push out those of others.
func TestAffinityIsSharedByMember(t *testing.T) {
	const capacity = 4096
	a := NewAffinity(capacity)
	key := func(member string, i int) (key [16]byte) {
		binary.LittleEndian.PutUint64(key[:8], maphash.String(seed, fmt.Sprint(member, i)))
		return key
	}
	put := func(member string, n int, at time.Duration) {
		for i := range n {
			a.Put(member, key(member, i), SellerKey{ID: member}, noon.Add(at), time.Hour)
		}
	}
	there := func(member string, n int) (known int) {
		for i := range n {
			if _, ok := a.Get(key(member, i), noon.Add(30*time.Minute)); ok {
				known++
			}
		}
		return known
	}
	put("bob", 500, 0)
	put("cyd", 500, 0)
	put("ada", 20*capacity, time.Minute)
	if bob, cyd := there("bob", 500), there("cyd", 500); bob < 450 || cyd < 450 {
		t.Errorf("%d and %d of 500 are left", bob, cyd)
	}
	if n := there("ada", 20*capacity); n < capacity/2 || n > capacity {
		t.Errorf("%d of the many are there", n)
	}
	put("dan", 200, 2*time.Minute)
	if n := there("dan", 200); n < 180 {
		t.Errorf("%d of 200 of a member that comes late are there", n)
	}
}

func TestAffinityFromManySides(t *testing.T) {
	a := NewAffinity(64)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 5000 {
				key := conversation(i % 100)
				a.Put("ada", key, SellerKey{ID: string(rune('a' + i%100)), Origin: "x"}, noon.Add(time.Duration(i)), time.Hour)
				if got, ok := a.Get(conversation((i+g)%100), noon); ok && got.ID != string(rune('a'+(i+g)%100)) {
					panic("the seller of another conversation")
				}
			}
		})
	}
	all.Wait()
	if n := a.sellers.len(); n > 64 {
		t.Errorf("%d conversations", n)
	}
}

func TestConversationStays(t *testing.T) {
	for _, policy := range []builtIn{DefaultFirst{}, Cheapest{}, Fastest{}, Weighted{}} {
		table, f := newFair(t, TableOptions{Policy: policy, Exclusions: NewExclusions(10)}, many(60)...)
		c := candidatesOf(table)
		first := func(q *Query, room int) string {
			list := table.Order(q, c, append(make([]*Candidate, 0, room+1), c.At(59)))
			if list[0] != c.At(59) || len(list) > room+1 {
				t.Fatalf("%T: what was there is gone", policy)
			}
			return names(list[1:min(2, len(list))])
		}
		q := f.query(money.Tokens{Prompt: 1000})
		for _, id := range []string{"s00", "s07", "s58"} { // s58 is not among the ready ones
			q.Last = f.key(id)
			for _, room := range []int{1, 2, 16, 20} {
				if got := first(q, room); got != id {
					t.Errorf("%T, room for %d: %s, want %s", policy, room, got, id)
				}
			}
			if got := first(q, 0); got != "" {
				t.Errorf("%T, no room: %s", policy, got)
			}
			f.open(id, time.Minute)
			if got := first(q, 16); got == id {
				t.Errorf("%T: %s has failed and is still asked first", policy, id)
			}
			f.open(id, 0)
			f[id].broke = true
			if got := first(q, 16); got == id {
				t.Errorf("%T: %s can't be paid and is still asked first", policy, id)
			}
			f[id].broke = false
			q.Last.Origin = "https://elsewhere.example"
			f.set(id, func(s *stall) { s.price, s.latency = money.NoPrice, time.Hour })
			if got := first(q, 16); got == id && policy != builtIn(DefaultFirst{}) && policy != builtIn(Fastest{}) {
				t.Errorf("%T: another seller has taken the id %s", policy, id)
			}
			q.Now = time.Now()
			q.Last = f.key(id)
			table.Exclude(c.Find(id), q.Path)
			if got := first(q, 16); got == id {
				t.Errorf("%T: %s does not know the model", policy, id)
			}
		}
		q.Maker = f.key("s55")
		if got := names(table.Order(q, c, make([]*Candidate, 0, 16))); got != "s55" {
			t.Errorf("%T: the maker of the response is s55: %q", policy, got)
		}
		q.Maker.Origin = "https://elsewhere.example"
		if got := names(table.Order(q, c, make([]*Candidate, 0, 16))); got != "" {
			t.Errorf("%T: the maker of the response is gone: %q", policy, got)
		}
	}
}
