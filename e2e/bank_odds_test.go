package e2e

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// rates say how often what goes wrong, in a thousand.
type rates struct{ payment, order, grant, token, answer odds }

type odds []struct {
	name    string
	permill int
}

var bankRates = rates{
	payment: odds{{"slow", 50}, {"pending", 50}, {"human", 50}, {"unpaid", 50}, {"lost before", 50}, {"lost after", 100}},
	order:   odds{{"503", 50}, {"reset", 50}, {"slow", 100}},
	grant:   odds{{"503", 80}, {"reset", 80}, {"slow", 100}},
	token:   odds{{"less", 80}, {"more", 80}, {"short", 150}},
	answer: odds{
		{"401", 1},
		{"402", 10},
		{"500", 10},
		{"reset", 10},
		{"500 when booked", 15},
		{"silence when booked", 3},
		{"reset when booked", 10},
		{"cut", 10},
		{"cut when booked", 10},
		{"settlement lost", 40},
		{"settlement and usage lost", 20},
		{"settlement first", 200},
		{"settlement twice", 50},
		{"settlement late", 100},
		{"settlement very late", 30},
	},
}

// draw is a source that depends on the seed and on what it is for alone, whenever it is asked.
type draw struct{ *rand.Rand }

func (b *bank) random(about ...any) draw {
	h := fnv.New64a()
	fmt.Fprintln(h, about...)
	return draw{rand.New(rand.NewPCG(b.seed, h.Sum64()))}
}

// pick is one of the odds; empty: nothing goes wrong.
func (d draw) pick(o odds) string {
	n := d.IntN(1000)
	for _, odd := range o {
		if n -= odd.permill; n < 0 {
			return odd.name
		}
	}
	return ""
}

// seedOf gives the seed of a random test, and logs it.
func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64()
	if s := os.Getenv("TOKENBUDDY_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("TOKENBUDDY_SEED: %v", err)
		}
	}
	t.Logf("TOKENBUDDY_SEED=%d", seed)
	return seed
}

// upTo is a random time.
func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
