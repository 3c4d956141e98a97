package gateway

import (
	"encoding/hex"
	"testing"

	"github.com/zeebo/blake3"
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
