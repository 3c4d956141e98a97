package market

import "github.com/tokenbuddy/caddy-tokenbuddy/routing"

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
