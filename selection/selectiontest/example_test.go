package selectiontest_test

import (
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection/selectiontest"
)

// doubling lists the best seller twice.
type doubling struct{}

func (doubling) Order(_ selection.Query, candidates []selection.Candidate) []selection.Candidate {
	if len(candidates) == 2 {
		candidates[1] = candidates[0]
	}
	return candidates
}

// A policy's own test runs the kit, best under the race detector.
func ExampleTest() {
	fmt.Println(selectiontest.Test(doubling{}) != nil)
	// Output: true
}
