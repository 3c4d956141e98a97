package gateway

import (
	"errors"
	"testing"
)

// TestShares: nobody takes the memory from all, and who is alone has most of it.
func TestShares(t *testing.T) {
	p := newPool(400)
	ada := p.enter("ada")
	if err := ada.take(301); !errors.Is(err, errMemberMemory) {
		t.Errorf("alone, more than three quarters: %v", err)
	}
	if err := ada.take(300); err != nil {
		t.Errorf("alone, three quarters: %v", err)
	}
	bob := p.enter("bob")
	if err := ada.take(1); !errors.Is(err, errMemberMemory) {
		t.Errorf("with another, above a quarter: %v", err)
	}
	if err := bob.take(101); !errors.Is(err, errMemberMemory) {
		t.Errorf("the other one, above a quarter: %v", err)
	}
	if err := bob.take(100); err != nil {
		t.Errorf("the other one, a quarter: %v", err)
	}
	cleo := p.enter("cleo")
	if err := cleo.take(1); !errors.Is(err, errNoMemory) {
		t.Errorf("where all is taken: %v", err)
	}
	ada.give(250)
	if err := cleo.take(100); err != nil {
		t.Errorf("after some was given back: %v", err)
	}
	bob.leave()
	cleo.leave()
	if err := ada.take(150); err != nil {
		t.Errorf("alone again: %v", err)
	}
	if held := p.held.Load(); held != 400 {
		t.Errorf("%d held, want 400", held)
	}
	for _, s := range []*share{ada, bob, cleo} {
		s.give(s.held.Load())
	}
	ada.leave()
	if p.held.Load() != 0 || p.busy.Load() != 0 {
		t.Errorf("%d held by %d members in the end", p.held.Load(), p.busy.Load())
	}
}

// TestShareOfMany: requests of one member are one share.
func TestShareOfMany(t *testing.T) {
	p := newPool(400)
	first, second := p.enter("ada"), p.enter("ada")
	if first != second {
		t.Fatal("two shares of one member")
	}
	first.leave()
	other := p.enter("bob")
	if err := second.take(101); !errors.Is(err, errMemberMemory) {
		t.Errorf("one of two requests is under way still: %v", err)
	}
	second.leave()
	if err := other.take(300); err != nil {
		t.Errorf("alone: %v", err)
	}
}
