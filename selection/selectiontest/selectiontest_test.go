package selectiontest_test

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection/selectiontest"
)

// guest is a policy that does what a test wants.
type guest struct {
	order  func(q selection.Query, c []selection.Candidate) []selection.Candidate
	gather func(all iter.Seq[selection.Candidate], want int) []selection.Candidate
}

func (g guest) Order(q selection.Query, c []selection.Candidate) []selection.Candidate {
	return g.order(q, c)
}

func (g guest) Gather(_ selection.Query, all iter.Seq[selection.Candidate], want int) []selection.Candidate {
	return g.gather(all, want)
}

func TestTest(t *testing.T) {
	asIs := func(_ selection.Query, c []selection.Candidate) []selection.Candidate { return c }
	first := func(all iter.Seq[selection.Candidate], want int) (some []selection.Candidate) {
		for c := range all {
			if some = append(some, c); len(some) == want {
				break
			}
		}
		return some
	}
	for _, row := range []struct {
		name string
		guest
		want string // in the error; empty: none
	}{
		{"good", guest{asIs, first}, ""},
		{"leaves all out", guest{func(selection.Query, []selection.Candidate) []selection.Candidate { return nil }, first}, ""},
		{"panics for none", guest{func(_ selection.Query, c []selection.Candidate) []selection.Candidate { return c[:1] }, first}, "panicked"},
		{"doubles", guest{func(_ selection.Query, c []selection.Candidate) []selection.Candidate {
			if len(c) > 1 {
				c[1] = c[0]
			}
			return c
		}, first}, "twice"},
		{"invents", guest{func(_ selection.Query, c []selection.Candidate) []selection.Candidate {
			return append(slices.Clone(c), selection.Candidate{Seller: "mine"})
		}, first}, "are the most"},
		{"replaces", guest{func(_ selection.Query, c []selection.Candidate) []selection.Candidate {
			for i := range c {
				c[i] = selection.Candidate{Seller: "mine"}
			}
			return c
		}, first}, "not given"},
		{"gathers all", guest{asIs, func(all iter.Seq[selection.Candidate], _ int) []selection.Candidate { return slices.Collect(all) }}, "are the most"},
		{"goes on", guest{asIs, func(all iter.Seq[selection.Candidate], want int) (some []selection.Candidate) {
			all(func(c selection.Candidate) bool {
				if len(some) < want {
					some = append(some, c)
				}
				return len(some) < want
			})
			return some
		}}, ""},
	} {
		err := selectiontest.Test(row.guest)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}
