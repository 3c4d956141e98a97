package market

import (
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Unpriced is a model of which a seller says no price.
type Unpriced struct {
	SellerID string `json:"sellerId"`
	Model    string `json:"model"` // the id that the seller knows it by
}

// maxUnpriced is how many are listed: a registry may name a hundred thousand sellers.
const maxUnpriced = 100

// Unpriced gives the models of the sellers that the running configs name of which no price is known: of each config those of the pinned
// ones first.
func (m *Market) Unpriced() []Unpriced {
	var all []Unpriced
	seen := make(map[Unpriced]bool)
	for _, t := range m.tables.now() {
		t.Index().Sellers(func(s *routing.Seller) {
			for _, model := range s.Models {
				u := Unpriced{s.ID, model.ID}
				if !model.Priced() && !seen[u] && len(all) < maxUnpriced {
					seen[u] = true
					all = append(all, u)
				}
			}
		})
	}
	return all
}

// Unlisted gives the models that a running config names of a seller and that the seller's own list has not, as "model of seller",
// in order.
func (m *Market) Unlisted() []string {
	var all []string
	for _, t := range m.tables.now() {
		t.Unlisted(func(sellerID, model string) { all = append(all, model+" of "+sellerID) })
	}
	slices.Sort(all)
	return slices.Compact(all)
}
