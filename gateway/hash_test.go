package gateway

import (
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// TestHashers: a hash that was used before is as a new one, and names stay apart.
func TestHashers(t *testing.T) {
	h := newHashers([32]byte{7})
	fresh, err := blake3.NewKeyed(append([]byte{7}, make([]byte, 31)...))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fresh.WriteString("a\x00b\x00body")
	want := hex.EncodeToString(fresh.Sum(nil)[:16])
	for range 3 {
		hash := h.begin("a", "b")
		_, _ = hash.WriteString("body")
		if sum := h.end(hash); hex.EncodeToString(sum[:]) != want {
			t.Fatalf("got %x, want %s", sum, want)
		}
		if h.end(h.begin("ab")) == h.end(h.begin("a", "b")) {
			t.Fatal("names run into each other")
		}
	}
}

// TestMakerOverAFleet: who has made a response is known over joining a fleet and leaving it, and the hashes of gateways with other keys
// are the same in it alone.
func TestMakerOverAFleet(t *testing.T) {
	responses, err := routing.NewResponses(10, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	in := func(fleet bool, key byte) *Gateway {
		gw := &Gateway{hashers: newHashers([32]byte{key}), responses: responses}
		gw.nameResponses(fleet)
		return gw
	}
	for i, fleet := range []bool{false, true, false} {
		gw, id := in(fleet, 1), strconv.Itoa(i)
		responses.Put(gw.named.responseKey("ada", id), 1, routing.Made{Model: id}, time.Now())
		for j := range i + 1 {
			if made, _, err := gw.maker(t.Context(), "ada", strconv.Itoa(j), true, time.Now()); err != nil || made.Model != strconv.Itoa(j) {
				t.Errorf("the maker of %d is not known after %d changes: %v", j, i, made)
			}
			if _, _, err := gw.maker(t.Context(), "bob", strconv.Itoa(j), true, time.Now()); err == nil {
				t.Errorf("the maker of %d is known to another member", j)
			}
		}
		other := in(fleet, 2)
		if same := other.named.responseKey("ada", id) == gw.named.responseKey("ada", id); same != fleet {
			t.Errorf("in a fleet %v: one hash for both keys %v", fleet, same)
		}
	}
}

// TestPromptHash: equal bodies have equal hashes under one key, and nothing else has.
func TestPromptHash(t *testing.T) {
	one, err := newPromptHasher([32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 32 {
		key := [32]byte{7}
		key[i]++
		other, err := newPromptHasher(key)
		if err != nil {
			t.Fatal(err)
		}
		if one.hash([]byte("body")) == other.hash([]byte("body")) {
			t.Errorf("byte %d of the key makes no difference", i)
		}
	}
	seen := make(map[string]string)
	for _, body := range []string{"", "\x00", "\x00\x00", "body", "Body", strings.Repeat("x", 1<<20), strings.Repeat("x", 1<<20-1) + "y", "y" + strings.Repeat("x", 1<<20-1)} {
		hash := one.hash([]byte(body))
		if len(hash) != 32 || hash != one.hash([]byte(body)) {
			t.Errorf("%.10q: %s", body, hash)
		}
		if other, ok := seen[hash]; ok {
			t.Errorf("%.10q and %.10q have one hash", body, other)
		}
		seen[hash] = body
	}
}

func BenchmarkPromptHash(b *testing.B) {
	h, err := newPromptHasher([32]byte{7})
	if err != nil {
		b.Fatal(err)
	}
	keyed := newHashers([32]byte{7})
	for _, size := range []int{100, 100_000, 5_000_000} {
		body := make([]byte, size)
		b.Run("prompt-"+strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				h.hash(body)
			}
		})
		b.Run("blake3-"+strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				hash := keyed.begin()
				_, _ = hash.Write(body)
				keyed.end(hash)
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	h := newHashers([32]byte{7})
	body := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		hash := h.begin("ada", "model")
		_, _ = hash.Write(body)
		h.end(hash)
	}
}
