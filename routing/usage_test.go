package routing

import (
	"testing"
	"time"
)

func TestUsageIsNotAskedForADay(t *testing.T) {
	p := NewPool(PoolOptions{})
	now := time.Now()
	s := p.State(SellerKey{"a", "https://a.example"})
	if s.RefusesUsage(now) || (*State)(nil).RefusesUsage(now) {
		t.Error("nobody has refused it")
	}
	s.RefuseUsage(now)
	if !s.RefusesUsage(now) || !s.RefusesUsage(now.Add(24*time.Hour-2*time.Second)) || s.RefusesUsage(now.Add(24*time.Hour+time.Second)) {
		t.Error("it is not remembered for a day")
	}
	if p.State(SellerKey{"a", "https://b.example"}).RefusesUsage(now) {
		t.Error("another origin is another seller")
	}
}
