package selection_test

import (
	"fmt"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// quiet likes the seller that has the least to do.
type quiet struct{}

func (quiet) Order(_ selection.Query, candidates []selection.Candidate) []selection.Candidate {
	slices.SortStableFunc(candidates, func(a, b selection.Candidate) int { return int(a.InFlight - b.InFlight) })
	return candidates
}

func ExamplePolicy() {
	var p selection.Policy = quiet{}
	for _, c := range p.Order(selection.Query{Member: "ada"}, []selection.Candidate{
		{Seller: "acme", InFlight: 7}, {Seller: "bolt", InFlight: 2}, {Seller: "cora", InFlight: 4},
	}) {
		fmt.Println(c.Seller)
	}
	// Output:
	// bolt
	// cora
	// acme
}

// builders keeps the sellers that the operator has named for the member build-bot, and leaves the rest out.
type builders struct{}

func (builders) Order(q selection.Query, candidates []selection.Candidate) []selection.Candidate {
	if q.Member != "build-bot" {
		return candidates
	}
	return slices.DeleteFunc(candidates, func(c selection.Candidate) bool { return !c.Pinned })
}

// NoAffinity has a conversation not be kept to a seller that the policy likes less by now.
func (builders) NoAffinity() bool { return true }

// What a policy leaves out is not asked.
func ExampleUnaffine() {
	var p selection.Policy = builders{}
	all := []selection.Candidate{{Seller: "acme"}, {Seller: "bolt", Pinned: true}}
	for _, c := range p.Order(selection.Query{Member: "build-bot"}, all) {
		fmt.Println(c.Seller)
	}
	// Output: bolt
}
