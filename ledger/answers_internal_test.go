package ledger

import (
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
)

func TestLengthClasses(t *testing.T) {
	before := int64(0)
	for class := range lengthClasses {
		end := classEnd(class)
		if lengthClass(end) != class || lengthClass(before+1) != class || end <= before {
			t.Errorf("class %d ends at %d: %d and %d are in %d and %d", class, end, before+1, end, lengthClass(before+1), lengthClass(end))
		}
		if before > 4 && end > before*3/2 {
			t.Errorf("class %d is wide: %d to %d", class, before, end)
		}
		before = end
	}
	if lengthClass(0) != 0 || lengthClass(-5) != 0 || lengthClass(1<<60) != lengthClasses-1 {
		t.Error("lengths that are none have no class")
	}
}

func TestUsualLength(t *testing.T) {
	l := new(lengths)
	for n := range 9 {
		l.add(100)
		if got := l.usual.Load(); got != billing.NotSeen {
			t.Fatalf("after %d answers %d are usual", n+1, got)
		}
	}
	if l.add(100); l.usual.Load() != 128 {
		t.Errorf("ten of 100 tokens: %d", l.usual.Load())
	}
	for range 90 {
		l.add(400)
	}
	l.add(60_000)
	if got := l.usual.Load(); got != 512 {
		t.Errorf("one long one among a hundred: %d", got)
	}
	for range 2_000 {
		l.add(5_000)
	}
	if got := l.usual.Load(); got != 6_144 || l.sum() > oldAnswers {
		t.Errorf("when the habit has changed: %d, of %d", got, l.sum())
	}
}
