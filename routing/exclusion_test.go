package routing

import (
	"fmt"
	"hash/maphash"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// isExcluded asks as the table does, in two steps.
func isExcluded(x *Exclusions, seller SellerKey, model, path string, now time.Time) bool {
	return x.any(now) && x.has(markOf(seller, model), maphash.String(seed, path), now)
}

func TestExclusions(t *testing.T) {
	x := NewExclusions(100)
	a, moved := SellerKey{"a", "https://a.example"}, SellerKey{"a", "https://b.example"}
	x.Add(a, "m", "/v1/messages", noon)
	for _, tc := range []struct {
		seller      SellerKey
		model, path string
		after       time.Duration
		want        bool
	}{
		{a, "m", "/v1/messages", 0, true},
		{a, "m", "/v1/messages", ExclusionLife - 1, true},
		{a, "m", "/v1/messages", ExclusionLife, false},
		{a, "m", "/v1/messages/count_tokens", 0, false},
		{a, "n", "/v1/messages", 0, false},
		{moved, "m", "/v1/messages", 0, false},
	} {
		if got := isExcluded(x, tc.seller, tc.model, tc.path, noon.Add(tc.after)); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
	for i := range 10_000 {
		x.Add(SellerKey{ID: fmt.Sprint(i)}, "m", "/v1/messages", noon.Add(time.Minute))
	}
	if n := x.marks.len(); n > 256 {
		t.Errorf("%d are remembered", n)
	}
	x = nil
	if isExcluded(x, a, "m", "/v1/messages", noon) {
		t.Error("out of nothing")
	}
}

// A seller that does not know the model is left out for the path, and its place among the ready ones goes to another.
func TestExcludedIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, f := newFair(t, TableOptions{Policy: Cheapest{}, Exclusions: NewExclusions(1000)}, many(60)...)
		order := func(path string) []*Candidate {
			q := f.query(money.Tokens{Prompt: 1000})
			q.Path, q.Now = path, time.Now()
			return table.Order(q, candidatesOf(table), make([]*Candidate, 0, 16))
		}
		left := candidatesOf(table).Find("s00")
		table.Exclude(left, "/v1/messages")
		if got := order("/v1/messages"); len(got) != MaxReady-1 || slices.Contains(got, left) {
			t.Errorf("at once: %q", names(got))
		}
		if got := order("/v1/chat/completions"); len(got) != MaxReady || got[0] != left {
			t.Errorf("for another path: %q", names(got))
		}
		time.Sleep(touchDelay)
		synctest.Wait()
		if got := order("/v1/messages"); len(got) != MaxReady || got[0].Seller.ID != "s01" {
			t.Errorf("a moment later: %q", names(got))
		}
		time.Sleep(ExclusionLife)
		table.Sweep()
		if got := order("/v1/messages"); len(got) != MaxReady || got[0] != left {
			t.Errorf("ten minutes later: %q", names(got))
		}
	})
}

// When all that were ready have said that they don't know the model, others get their turn.
func TestExclusionsMoveOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, f := newFair(t, TableOptions{Policy: Cheapest{}, Exclusions: NewExclusions(1000)}, many(60)...)
		asked := make(map[string]bool)
		for len(asked) < 60 {
			q := f.query(money.Tokens{Prompt: 1000})
			q.Now = time.Now()
			list := table.Order(q, candidatesOf(table), make([]*Candidate, 0, 4))
			if len(list) == 0 {
				t.Fatalf("nobody is left after %d", len(asked))
			}
			for _, c := range list {
				asked[c.Seller.ID] = true
				table.Exclude(c, q.Path)
			}
			time.Sleep(touchDelay)
			synctest.Wait()
		}
	})
}
