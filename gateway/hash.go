package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"

	"github.com/google/uuid"
	"github.com/zeebo/blake3"
	"github.com/zeebo/xxh3"
)

// hashers gives keyed hashes, and keeps them for the next request: one is 10 kB.
type hashers struct {
	pool sync.Pool
}

// newHashers makes the hashes useless to whoever does not have the key.
func newHashers(key [32]byte) *hashers {
	h := new(hashers)
	h.pool.New = func() any {
		fresh, _ := blake3.NewKeyed(key[:]) // errs on a key of another length alone
		return fresh
	}
	return h
}

// begin gives a hash that has these names in it, each apart from the next.
func (h *hashers) begin(names ...string) *blake3.Hasher {
	hash := h.pool.Get().(*blake3.Hasher)
	hash.Reset()
	for _, name := range names {
		_, _ = hash.WriteString(name)
		_, _ = hash.Write([]byte{0})
	}
	return hash
}

// end takes the hash back, and gives half of its sum.
func (h *hashers) end(hash *blake3.Hasher) (sum [16]byte) {
	var whole [32]byte
	copy(sum[:], hash.Sum(whole[:0]))
	h.pool.Put(hash)
	return sum
}

// promptHasher makes the hash by which equal prompts can be told without anyone reading them. It is made for speed, since a prompt
// may be megabytes: XXH3, which takes a prompt as fast as memory gives it, with a seed that nobody knows. That alone keeps no
// secret, so what it gives goes through a cipher: who has not the key can tell equal ones, and no more. Whoever goes to the length of
// making two prompts with one hash has two of his own entries look alike.
type promptHasher struct {
	seed   uint64
	cipher cipher.Block
}

// newPromptHasher makes the hashes useless to whoever does not have the key.
func newPromptHasher(key [32]byte) (*promptHasher, error) {
	block, err := aes.NewCipher(key[:24])
	return &promptHasher{binary.LittleEndian.Uint64(key[24:]), block}, err
}

// hash gives the hash of a request's body, in hex.
func (h *promptHasher) hash(body []byte) string {
	sum := xxh3.Hash128Seed(body, h.seed).Bytes()
	h.cipher.Encrypt(sum[:], sum[:])
	return hex.EncodeToString(sum[:])
}

// Random bytes for ids are fetched for several at once.
func init() { uuid.EnableRandPool() }

// idempotencyKey is what all attempts at a request carry: made of the member and the client's own key where there is one,
// so that the client's retries are one charge and members can't meet each other's.
func idempotencyKey(member, own string) string {
	if own == "" {
		return uuid.NewString()
	}
	sum := sha256.Sum256([]byte(member + "\x00" + own))
	return hex.EncodeToString(sum[:])
}
