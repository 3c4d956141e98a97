package seller

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"slices"
	"time"
)

// answered is a remembered answer to a step of a purchase. It is sealed with a key made of the idempotency key, which only
// the buyer knows (the books have its hash), and bound to what was asked: so the books and their file give no credential
// away, and a key that comes with another question opens nothing.
type answered struct {
	Key    digest `json:"key"`
	Order  digest `json:"order"`
	Sealed []byte `json:"sealed"`
}

func (st *step) digest() digest { return hash("answer", st.name, st.key) }

// seal gives the cipher of a step's answer.
func (st *step) seal() cipher.AEAD {
	key, err := hkdf.Key(sha256.New, []byte(st.key), nil, "tokenbuddy_seller answer to "+st.name, 32)
	if err != nil {
		panic(err) // only for a length that can't be had
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for another length of key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for another block size
	}
	return aead
}

// recall gives the answer to a step that was taken before; known without an answer means that its key was used for
// something else. b.mu is held.
func (b *Books) recall(st *step, now time.Time) (answer []byte, known bool) {
	a := b.answers[st.digest()]
	if a == nil {
		return nil, false
	}
	o := b.orders[a.Order]
	if o == nil || now.After(o.KeepUntil) {
		if o != nil {
			b.dropOrder(o)
		}
		return nil, false
	}
	answer, err := st.seal().Open(nil, nil, a.Sealed, st.asks)
	if err != nil {
		return nil, true
	}
	return answer, true
}

// remember keeps the answer to a step, and gives what has changed by the step. b.mu is held.
func (b *Books) remember(st *step, o *order, answer []byte) change {
	key := st.digest()
	a := &answered{Key: key, Order: o.Hash, Sealed: st.seal().Seal(nil, nil, answer, st.asks)}
	b.answers[key] = a
	o.Answers = append(o.Answers, key)
	c := change{Orders: []order{*o}, Answers: []answered{*a}}
	if o.Token != nil && b.tokens[*o.Token] != nil {
		c.Tokens = []token{*b.tokens[*o.Token]}
	}
	return c
}

func (b *Books) forget(st *step, o *order) {
	key := st.digest()
	delete(b.answers, key)
	o.Answers = slices.DeleteFunc(o.Answers, func(k digest) bool { return k == key })
}
