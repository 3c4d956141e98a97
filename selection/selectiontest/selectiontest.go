// Package selectiontest owns the test that holds a selection policy to its promises, in the manner of testing/fstest.
package selectiontest

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// patience is how long one call may take, on a machine that has other work to do too.
const patience = 30 * time.Second

// Test holds a policy to what is promised of one: it gives none twice and none that it was not given, no more than there are
// or than are wanted, for any number of candidates and any kind of request, from many goroutines at once, and it neither
// panics nor blocks. Run it under the race detector, which sees what policies share without a lock. The error names all that
// was found.
func Test(policy selection.Policy) error {
	var errs []error
	for name, q := range queries() {
		for _, n := range []int{0, 1, 2, 5, 17} {
			if err := order(policy, q, candidates(n)); err != nil {
				errs = append(errs, fmt.Errorf("order of %d candidates for %s: %w", n, name, err))
			}
		}
		if g, ok := policy.(selection.Gatherer); ok {
			for _, n := range []int{0, 1, 17, 1000} {
				if err := gather(g, q, n); err != nil {
					errs = append(errs, fmt.Errorf("gather of %d candidates for %s: %w", n, name, err))
				}
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // what blocks would block again
	}
	return together(policy)
}

// queries are requests of all kinds.
func queries() map[string]selection.Query {
	usual := selection.Query{
		Member: "ada", Group: "build", Model: "gpt-5", Protocol: "chat_completions", Path: "/v1/chat/completions",
		PromptTokens: 4000, MaxTokens: 1000, Now: time.Date(2026, 6, 2, 12, 0, 0, 0, time.UTC),
	}
	streamed, large, empty := usual, usual, selection.Query{}
	streamed.Streamed, streamed.Tools, streamed.Protocol, streamed.Path = true, true, "messages", "/v1/messages"
	large.PromptTokens, large.MaxTokens = 1<<40, 1<<40
	return map[string]selection.Query{"a usual request": usual, "a stream with tools": streamed, "a huge request": large, "an empty query": empty}
}

// candidates are so many, no two alike: with prices and without, fit and unfit, known and unknown.
func candidates(n int) []selection.Candidate {
	all := make([]selection.Candidate, n)
	for i := range all {
		id := fmt.Sprintf("seller-%d", i)
		c := selection.Candidate{
			Seller: id, Origin: "https://" + id + ".example", Model: "gpt-5", Pinned: i%5 == 0, Account: i%10 == 0, Default: i == n/2, Place: i,
			Input: int64(i%7) * 1_000_000, Output: int64(i%3) * 1_000_000, CacheRead: -1, CacheWrite: -1,
			LikelyMicros: int64(i%7) * 4000, Fit: i%4 != 3, Credit: i%3 == 1, Health: 1000 - i%11*100, Latency: time.Duration(i%6) * time.Second, InFlight: int64(i % 2),
		}
		if i%6 == 5 {
			c.Input, c.Output, c.LikelyMicros = -1, -1, -1
		}
		all[i] = c.WithRef(i + 1)
	}
	return all
}

func order(p selection.Policy, q selection.Query, given []selection.Candidate) error {
	refs := make([]int, 0, len(given))
	for _, c := range given {
		refs = append(refs, c.Ref())
	}
	var got []selection.Candidate
	if err := call(func() { got = p.Order(q, given) }); err != nil {
		return err
	}
	return judge(got, refs, len(refs))
}

func gather(g selection.Gatherer, q selection.Query, n int) error {
	const want = 16
	all := candidates(n)
	refs := make([]int, 0, n)
	for _, c := range all {
		refs = append(refs, c.Ref())
	}
	var got []selection.Candidate
	over := false
	seq := iter.Seq[selection.Candidate](func(yield func(selection.Candidate) bool) {
		for _, c := range all {
			if over { // ranging over a function panics by itself where the loop goes on; this is for those who call it
				panic("it goes on after it was told to stop")
			}
			over = !yield(c)
			if over {
				return
			}
		}
	})
	if err := call(func() { got = g.Gather(q, seq, want) }); err != nil {
		return err
	}
	return judge(got, refs, min(want, n))
}

// judge looks at what came back.
func judge(got []selection.Candidate, refs []int, most int) error {
	if len(got) > most {
		return fmt.Errorf("it gave %d, and %d are the most", len(got), most)
	}
	seen := make(map[int]bool, len(got))
	for _, c := range got {
		switch {
		case c.Ref() == 0 || !slices.Contains(refs, c.Ref()):
			return fmt.Errorf("it gave a candidate that it was not given: %q", c.Seller)
		case seen[c.Ref()]:
			return fmt.Errorf("it gave %q twice", c.Seller)
		}
		seen[c.Ref()] = true
	}
	return nil
}

// call calls, and tells of a panic or that it does not come back.
func call(f func()) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("it panicked: %v", p)
			}
		}()
		f()
		done <- nil
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("it did not come back within %s", patience)
	}
}

// together calls from many goroutines at once.
func together(p selection.Policy) error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var first error
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil && first == nil {
			first = fmt.Errorf("from many goroutines: %w", err)
		}
	}
	for i := range 16 {
		all.Go(func() {
			for _, q := range queries() {
				for range 20 {
					note(order(p, q, candidates(1+i)))
				}
				if g, ok := p.(selection.Gatherer); ok {
					note(gather(g, q, 50))
				}
			}
		})
	}
	all.Wait()
	return first
}
