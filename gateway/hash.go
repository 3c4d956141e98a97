package gateway

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/google/uuid"
	"github.com/zeebo/blake3"
)

// hasher begins a keyed hash with these names, each apart from the next.
func (gw *Gateway) hasher(names ...string) *blake3.Hasher {
	h, _ := blake3.NewKeyed(gw.promptKey[:]) // errs on a key of another length alone
	for _, name := range names {
		_, _ = h.WriteString(name)
		_, _ = h.Write([]byte{0})
	}
	return h
}

// hashPrompt gives a keyed hash of a request's body, by which equal prompts can be told without anyone reading them.
func (gw *Gateway) hashPrompt(body []byte) string {
	h := gw.hasher()
	_, _ = h.Write(body)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (gw *Gateway) responseKey(id string) (key affinityKey) {
	h := gw.hasher("response", id)
	copy(key[:], h.Sum(nil))
	return key
}

// idempotencyKey is what all attempts at a request carry: made of the member and the client's own key where there is one,
// so that the client's retries are one charge and members can't meet each other's.
func idempotencyKey(member, own string) string {
	if own == "" {
		return uuid.NewString()
	}
	sum := sha256.Sum256([]byte(member + "\x00" + own))
	return hex.EncodeToString(sum[:])
}
