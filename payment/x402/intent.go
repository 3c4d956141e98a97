package x402

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// intent is what is signed, whole: the same bytes come of it at every call, whatever the config says by then.
type intent struct {
	Network     string          `json:"network"`
	Asset       eip3009.Address `json:"asset"`
	Name        string          `json:"name"`
	Version     string          `json:"version"`
	From        eip3009.Address `json:"from"`
	To          eip3009.Address `json:"to"`
	Value       money.Micros    `json:"value"`
	ValidBefore int64           `json:"validBefore"` // Unix seconds
	Nonce       string          `json:"nonce"`
	Accepted    json.RawMessage `json:"accepted"` // the seller's bytes: it compares them with its own
	Resource    json.RawMessage `json:"resource,omitempty"`
}

// Nonce is the nonce of a purchase at an origin. The token contract takes each nonce of a payer once, so there can't be two
// payments for one purchase, even where a restored backup has forgotten the first; and a seller can tell that the money was
// meant for this purchase at its own origin.
func Nonce(origin, purchaseID string) eip3009.Hash {
	return eip3009.Keccak([]byte("tokenbuddy/x402/1\n" + origin + "\n" + purchaseID))
}

func readIntent(raw json.RawMessage) (in intent, err error) {
	if wire.Decode(raw, &in) != nil || in.Value <= 0 || in.ValidBefore <= 0 || len(in.Accepted) == 0 {
		return intent{}, errors.New("the intent can't be read")
	}
	return in, nil
}

func (in intent) encode() (json.RawMessage, error) { return encode(in) }

func (in intent) expires() time.Time { return time.Unix(in.ValidBefore, 0) }

// authorization gives what is signed, and its digest.
func (in intent) authorization() (a eip3009.Authorization, digest eip3009.Hash, err error) {
	chain, err := ChainID(in.Network)
	if err != nil {
		return a, digest, err
	}
	nonce, err := eip3009.ParseHash(in.Nonce)
	if err != nil {
		return a, digest, err
	}
	a = eip3009.Authorization{
		From: in.From, To: in.To, Value: eip3009.NewUint256(uint64(in.Value)),
		ValidBefore: eip3009.NewUint256(uint64(in.ValidBefore)), Nonce: nonce,
	}
	return a, a.Digest(eip3009.Domain{Name: in.Name, Version: in.Version, ChainID: chain, Contract: in.Asset}), nil
}

// Payload is a payment, as it stands in the PAYMENT-SIGNATURE header, and as the proof of a purchase.
type Payload struct {
	Version  int             `json:"x402Version"`
	Payload  Signed          `json:"payload"`
	Resource json.RawMessage `json:"resource,omitempty"`
	Accepted json.RawMessage `json:"accepted"`
}

// Signed is an authorization with its signature.
type Signed struct {
	Signature     string        `json:"signature"`
	Authorization Authorization `json:"authorization"`
}

// Authorization is an authorization as JSON has it: numbers are decimal texts.
type Authorization struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Value       string `json:"value"`
	ValidAfter  string `json:"validAfter"`
	ValidBefore string `json:"validBefore"`
	Nonce       string `json:"nonce"`
}

// sign makes the payment of an intent: the same bytes each time.
func (in intent) sign(key *eip3009.Key) (json.RawMessage, error) {
	if key.Address() != in.From {
		return nil, fmt.Errorf("the wallet of this purchase is %s, but the config has the key of %s", in.From, key.Address())
	}
	a, digest, err := in.authorization()
	if err != nil {
		return nil, err
	}
	return WritePayload(a, key.Sign(digest), in.Resource, in.Accepted)
}

// WritePayload writes a payment. What ReadPayload has read of one is written without what it has not: a member that stands there twice, or in
// another case, and that another program would read instead.
func WritePayload(a eip3009.Authorization, s eip3009.Signature, resource, accepted json.RawMessage) (json.RawMessage, error) {
	return encode(Payload{
		Version: Version,
		Payload: Signed{Signature: s.Text(), Authorization: Authorization{
			From: a.From.String(), To: a.To.String(), Value: a.Value.String(), ValidAfter: a.ValidAfter.String(),
			ValidBefore: a.ValidBefore.String(), Nonce: a.Nonce.String(),
		}},
		Resource: resource, Accepted: accepted,
	})
}

// ReadPayload reads a payment: the authorization, its signature, and what the payer says it has accepted. No error quotes it.
func ReadPayload(raw json.RawMessage) (a eip3009.Authorization, s eip3009.Signature, accepted json.RawMessage, err error) {
	var p struct {
		Version  int             `json:"x402Version"`
		Payload  json.RawMessage `json:"payload"`
		Accepted json.RawMessage `json:"accepted"`
	}
	var signed struct {
		Signature     string          `json:"signature"`
		Authorization json.RawMessage `json:"authorization"`
	}
	var t Authorization
	if wire.Decode(raw, &p) != nil || p.Version != Version || wire.Decode(p.Payload, &signed) != nil || wire.Decode(signed.Authorization, &t) != nil {
		return a, s, nil, errors.New("not an x402 payment of version 2")
	}
	var errs [7]error
	a.From, errs[0] = eip3009.ParseAddress(t.From)
	a.To, errs[1] = eip3009.ParseAddress(t.To)
	a.Value, errs[2] = eip3009.ParseUint256(t.Value)
	a.ValidAfter, errs[3] = eip3009.ParseUint256(t.ValidAfter)
	a.ValidBefore, errs[4] = eip3009.ParseUint256(t.ValidBefore)
	a.Nonce, errs[5] = eip3009.ParseHash(t.Nonce)
	s, errs[6] = eip3009.ParseSignature(signed.Signature)
	return a, s, p.Accepted, errors.Join(errs[:]...)
}

// encode is wire's, with an error in our own words.
func encode(v any) (json.RawMessage, error) {
	text, err := wire.Encode(v)
	if err != nil {
		return nil, errors.New("what the seller sent can't be written as JSON")
	}
	return text, nil
}
