package x402

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Version is the version of the protocol that is spoken.
const Version = 2

const (
	scheme     = "exact"
	maxAccepts = 32      // ways to pay that a seller may offer
	maxRaw     = 4 << 10 // bytes of what is sent back to the seller in a header, as it wrote it
	minTimeout = 10      // seconds that a seller must give at least
)

// Required is what a seller wants to be paid, as it stands in the PAYMENT-REQUIRED header, and in an order's payment.
type Required struct {
	Version  int               `json:"x402Version"`
	Resource json.RawMessage   `json:"resource,omitempty"`
	Accepts  []json.RawMessage `json:"accepts"`
}

// Requirement is one way to pay.
type Requirement struct {
	Scheme            string `json:"scheme"`
	Network           string `json:"network"`
	Amount            string `json:"amount"` // in units of the asset, decimal
	Asset             string `json:"asset"`
	PayTo             string `json:"payTo"`
	MaxTimeoutSeconds int64  `json:"maxTimeoutSeconds"`
	Extra             Extra  `json:"extra"`
}

// Extra is what the scheme adds to a requirement.
type Extra struct {
	Name                string `json:"name"`
	Version             string `json:"version"`
	AssetTransferMethod string `json:"assetTransferMethod,omitempty"`
	PaymentFlow         string `json:"paymentFlow,omitempty"`
}

// ParseRequirement reads one way to pay. Only members that are spelled as here are read, so that nothing can be said twice in
// two spellings.
func ParseRequirement(raw json.RawMessage) (r Requirement, err error) {
	var members struct {
		Scheme            string          `json:"scheme"`
		Network           string          `json:"network"`
		Amount            string          `json:"amount"`
		Asset             string          `json:"asset"`
		PayTo             string          `json:"payTo"`
		MaxTimeoutSeconds int64           `json:"maxTimeoutSeconds"`
		PaymentFlow       string          `json:"paymentFlow"`
		Extra             json.RawMessage `json:"extra"`
	}
	if err := wire.Decode(raw, &members); err != nil {
		return Requirement{}, err
	}
	if len(members.Extra) > 0 {
		if err := wire.Decode(members.Extra, &r.Extra); err != nil {
			return Requirement{}, err
		}
	}
	if r.Extra.PaymentFlow == "" {
		r.Extra.PaymentFlow = members.PaymentFlow
	}
	r.Scheme, r.Network, r.Amount, r.Asset = members.Scheme, members.Network, members.Amount, members.Asset
	r.PayTo, r.MaxTimeoutSeconds = members.PayTo, members.MaxTimeoutSeconds
	return r, nil
}

// offer is the way to pay that was chosen.
type offer struct {
	network  *network
	raw      json.RawMessage // as the seller wrote it
	resource json.RawMessage
	payTo    eip3009.Address
	amount   money.Micros
	timeout  int64 // seconds
}

// Why a way to pay is none for us, from the first look to the last. The one that came furthest is told.
const (
	notOurNetwork = iota
	notOurScheme
	notOurAsset
	notOurDomain
	notOurTransfer
	notOurFlow
	notTheAmount
	notAPayee
	notTheTime
	notThatLong
)

var reasons = [...]string{
	notOurNetwork:  "the seller takes none of the networks of this config",
	notOurScheme:   "the seller wants a scheme other than exact",
	notOurAsset:    "the seller wants another token than the one that we know on this network",
	notOurDomain:   "the seller gives the token another name or version than it has",
	notOurTransfer: "the seller wants the token moved by another way than EIP-3009",
	notOurFlow:     "the seller wants another payment flow than authorization",
	notTheAmount:   "the seller's payment is not for the amount of its order",
	notAPayee:      "the seller's payTo is no address that can be paid",
	notTheTime:     "the seller gives less than 10 seconds to pay, or no whole number of them",
	notThatLong:    "the seller's way to pay is longer than 4 KiB",
}

// choose finds the first way to pay that is right in all points, in the order of our networks, and else says what was wrong
// with the one that came nearest. Nothing of the seller's is in the error.
func choose(payment json.RawMessage, amount money.Micros, networks []*network, self eip3009.Address) (offer, error) {
	var required Required
	if err := wire.Decode(payment, &required); err != nil {
		return offer{}, errors.New("the seller's payment is not an x402 requirement")
	}
	switch {
	case required.Version != Version:
		return offer{}, errors.New("the seller speaks another version of x402 than 2")
	case len(required.Accepts) == 0:
		return offer{}, errors.New("the seller offers no way to pay")
	case len(required.Accepts) > maxAccepts:
		return offer{}, fmt.Errorf("the seller offers more than %d ways to pay", maxAccepts)
	}
	resource := required.Resource
	if len(resource) > maxRaw || len(resource) > 0 && resource[0] != '{' {
		resource = nil // it may be left out
	}
	furthest := notOurNetwork
	for _, n := range networks {
		for _, raw := range required.Accepts {
			o, reason := n.fits(raw, amount, self)
			if reason < 0 {
				o.resource = resource
				return o, nil
			}
			furthest = max(furthest, reason)
		}
	}
	return offer{}, errors.New(reasons[furthest])
}

// fits reads one way to pay; reason is -1 where it is right.
func (n *network) fits(raw json.RawMessage, amount money.Micros, self eip3009.Address) (o offer, reason int) {
	r, err := ParseRequirement(raw)
	if err != nil || r.Network != n.id {
		return offer{}, notOurNetwork
	}
	asset, assetErr := eip3009.ParseAddress(r.Asset)
	payTo, payErr := eip3009.ParseAddress(r.PayTo)
	switch {
	case r.Scheme != scheme:
		return offer{}, notOurScheme
	case assetErr != nil || asset != n.domain.Contract:
		return offer{}, notOurAsset
	case r.Extra.Name != n.domain.Name || r.Extra.Version != n.domain.Version:
		return offer{}, notOurDomain
	case r.Extra.AssetTransferMethod != "" && r.Extra.AssetTransferMethod != "eip3009":
		return offer{}, notOurTransfer
	case r.Extra.PaymentFlow != "" && r.Extra.PaymentFlow != "authorization":
		return offer{}, notOurFlow
	case r.Amount != strconv.FormatInt(int64(amount), 10):
		return offer{}, notTheAmount
	case payErr != nil || payTo == eip3009.Address{} || payTo == self || payTo == n.domain.Contract:
		return offer{}, notAPayee
	case r.MaxTimeoutSeconds < minTimeout:
		return offer{}, notTheTime
	case len(raw) > maxRaw:
		return offer{}, notThatLong
	}
	return offer{network: n, raw: raw, payTo: payTo, amount: amount, timeout: r.MaxTimeoutSeconds}, -1
}
