package market

import (
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Offer is a model of a seller, and what it costs there, per million tokens.
type Offer struct {
	Model string `json:"model"`
	// InputMicros and OutputMicros are of tokens of no class of their own; null where the seller names no price.
	InputMicros  *money.Micros `json:"inputMicros"`
	OutputMicros *money.Micros `json:"outputMicros"`
}

// maxOffers is how many models of a seller are told.
const maxOffers = 20

// Offers gives what the seller of an id offers by the running configs, the first of its models, and of how many there are.
func (m *Market) Offers(sellerID string) (offers []Offer, models int) {
	for _, t := range m.tables.now() {
		s := t.Index().Seller(sellerID)
		if s == nil {
			continue
		}
		for _, model := range s.Models[:min(len(s.Models), maxOffers)] {
			offers = append(offers, Offer{model.ID, priced(model.Price.Input), priced(model.Price.Output)})
		}
		return offers, len(s.Models)
	}
	return nil, 0
}

func priced(price money.Micros) *money.Micros {
	if price == money.Unknown {
		return nil
	}
	return &price
}
