package roundrobin

import (
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection/selectiontest"
)

// The policy keeps what is promised of policies. Run it with -race.
func TestPromises(t *testing.T) {
	if err := selectiontest.Test(new(RoundRobin)); err != nil {
		t.Error(err)
	}
}

func TestTurns(t *testing.T) {
	sellers := []selection.Candidate{{Seller: "a", Fit: true}, {Seller: "b"}, {Seller: "c", Fit: true}}
	r := new(RoundRobin)
	for _, want := range []struct{ member, order string }{
		{"ada", "acb"}, {"ada", "cab"}, {"bob", "acb"}, {"ada", "acb"},
	} {
		order := ""
		for _, c := range r.Order(selection.Query{Member: want.member}, sellers) {
			order += c.Seller
		}
		if order != want.order {
			t.Errorf("%s gets %s, want %s", want.member, order, want.order)
		}
	}
}

func TestCaddyfile(t *testing.T) {
	for words, strict := range map[string]bool{"round_robin": false, "round_robin strict": true} {
		r := new(RoundRobin)
		if err := r.UnmarshalCaddyfile(caddyfile.NewTestDispenser(words)); err != nil || r.NoAffinity() != strict {
			t.Errorf("%s: %v, strict %v", words, err, r.Strict)
		}
	}
	for _, words := range []string{"round_robin fast", "round_robin strict now", "round_robin {\n\tx\n}"} {
		if new(RoundRobin).UnmarshalCaddyfile(caddyfile.NewTestDispenser(words)) == nil {
			t.Errorf("%s is taken", words)
		}
	}
}
