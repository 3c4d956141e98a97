package routing

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Seller is one seller as the registry or the operator names it. It never changes once it is made, and is shared by all
// that hold it.
type Seller struct {
	ID   string
	Name string // for people; may be empty

	// BaseURL has neither a slash nor a /v1 at its end; the path of a request, which begins with /v1, is put right behind it,
	// as are those of health and purchases.
	BaseURL string
	// Origin is the scheme, host and port of BaseURL in lower case, without the port that the scheme implies. Tokens and
	// what is known of a seller's health belong to ID and Origin together.
	Origin string

	// Pinned says that the operator named the seller, so that its URL is reached as written.
	Pinned bool
	// Account says that the operator has an account there: it takes no payment method, and nothing is bought.
	Account bool
	// PathPrefix stands where /v1 would in the paths of the model APIs there, such as /api/v3; "/": nothing does; empty: /v1.
	PathPrefix string
	// Query goes to every path, those of health and purchases too, and before the client's own; it has no question mark.
	Query string
	// ListPath is the path of the seller's own list of models; empty: Models are all that it has.
	ListPath string
	// Names are what the seller calls models that have another id here; shared, not to be changed.
	Names     map[string]string
	Protocols ProtocolSet
	Methods   []string // payment methods it takes, in its order; shared, not to be changed
	Models    []Model
	// Terms are the prices of models, by their ids, on other terms than the usual ones; shared, not to be changed.
	Terms map[string][]OnTerms
}

// SellerKey names a seller: its id and its origin together. The zero value is none.
type SellerKey struct{ ID, Origin string }

// Key names the seller.
func (s *Seller) Key() SellerKey { return SellerKey{s.ID, s.Origin} }

// Model is what a seller offers under a model's id.
type Model struct {
	ID      string
	Aliases []string
	Price   *money.Price // never nil; shared, not to be changed
}

// Priced tells whether it is known what the model's tokens cost.
func (m *Model) Priced() bool {
	_, known := m.Price.Cost(money.Tokens{Prompt: 1, Completion: 1})
	return known
}

// NewModel makes a model. A price that nobody has named is money.Unknown.
func NewModel(id string, price money.Price, aliases ...string) (Model, error) {
	for _, name := range append([]string{id}, aliases...) {
		if !wire.FitModel(name) {
			return Model{}, errors.New("a model's id or alias must be 1 to 256 bytes of text")
		}
	}
	for _, p := range []money.Micros{
		price.Input, price.Output, price.CacheRead, price.CacheWrite, price.CacheWrite1h.Or(0), price.AudioIn.Or(0),
		price.AudioOut.Or(0), price.ImageIn.Or(0), price.ImageOut.Or(0), price.Reasoning.Or(0), price.WebSearch.Or(0),
	} {
		if p != money.Unknown && (p < 0 || p > money.Max) {
			return Model{}, fmt.Errorf("model %s: a price is negative or above %s USD", id, money.Max)
		}
	}
	return Model{ID: id, Aliases: aliases, Price: &price}, nil
}

// Pin is a seller named by the operator. Everything but ID and URL has the default that it has in a registry: all
// protocols, the payment method "mock", no models.
type Pin struct {
	ID, URL   string
	Protocols []dialect.Protocol
	Methods   []string
	Account   bool // see Seller; there are no methods then
	Models    []Model

	ListPath   string            // of its own list of models; empty: Models are all
	PathPrefix string            // see Seller
	Names      map[string]string // see Seller
	Terms      map[string][]OnTerms
}

// NewPinned checks a seller named by the operator. Unlike in a registry's document, a protocol that is not known is an
// error, since it can only be a slip.
func NewPinned(p Pin) (*Seller, error) {
	if !ValidSellerID(p.ID) {
		return nil, fmt.Errorf("seller %q: %s", p.ID, badID)
	}
	raw, query := CutQuery(p.URL)
	base, origin, err := wire.ParseURL(raw)
	if err != nil {
		return nil, fmt.Errorf("seller %s: %w", p.ID, err)
	}
	s := &Seller{
		ID: p.ID, BaseURL: base, Origin: origin, Pinned: true, Account: p.Account,
		PathPrefix: p.PathPrefix, Query: query, Names: p.Names, ListPath: p.ListPath,
		Protocols: AllProtocols, Methods: mockOnly, Models: p.Models, Terms: p.Terms,
	}
	if len(p.Protocols) > 0 {
		s.Protocols = Protocols(p.Protocols...)
		for _, name := range p.Protocols {
			if protocolIndex(name) < 0 {
				return nil, fmt.Errorf("seller %s: there is no protocol %q; known are %v", p.ID, name, dialect.Protocols)
			}
		}
	}
	if len(p.Methods) > 0 || p.Account {
		s.Methods = slices.Clone(p.Methods)
	}
	for i, m := range p.Models {
		if slices.ContainsFunc(p.Models[:i], func(other Model) bool { return other.ID == m.ID }) {
			return nil, fmt.Errorf("seller %s: the model %s stands twice", p.ID, m.ID)
		}
	}
	return s, nil
}

// mockOnly is what a seller takes that names no payment method.
var mockOnly = []string{"mock"}

const (
	maxSellerID = 64
	badID       = "the id is not 1 to 64 letters, digits, dots, dashes and underscores that begin with a letter or digit"
)

// ValidSellerID tells whether the id is 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or a
// digit.
func ValidSellerID(id string) bool {
	if id == "" || len(id) > maxSellerID || !alphanumeric(id[0]) {
		return false
	}
	for i := range len(id) {
		if c := id[i]; !alphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
