package routing

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

var (
	errModel       = errors.New("a model is neither an id nor an object with an id")
	errModelID     = errors.New("a model's id or alias is empty, too long, or not text")
	errModelAlias  = errors.New("a model's aliases are not a list of ids")
	errModelPrice  = errors.New("a price is not a whole number of micros in a sensible range")
	errNames       = fmt.Errorf("the entry names more than %d models and aliases, or over %d bytes of them", maxEntryNames, maxEntryBytes)
	errAllNames    = fmt.Errorf("the document names more than %d different models and aliases, or over %d bytes of them; the entries before this one stay", maxNames, maxNameBytes)
	errOffers      = fmt.Errorf("the document's sellers have more than %d models together; the entries before this one stay", maxOffers)
	errModelTwoFor = errors.New("a model stands twice, at different prices")
)

// What a document may name. Each name costs about a kilobyte in the index, however short it is, and a stranger writes it.
const (
	maxEntryNames = 4096      // models and aliases of one seller
	maxEntryBytes = 256 << 10 // of these
	maxNames      = 32_768    // different ones in a document
	maxNameBytes  = 1 << 20   // of these
	maxOffers     = 1 << 19   // models of all sellers together
)

// modelList reads what a seller offers.
func (p *parser) modelList(value gjson.Result) ([]Model, error) {
	models := p.offered[:0]
	err := eachItem(value, "models", func(item gjson.Result) error {
		m, err := p.model(item)
		if err != nil {
			return err
		}
		seen := p.models[m.ID]
		if seen.entry == p.count {
			first := &models[seen.at]
			if *first.Price != *m.Price {
				return errModelTwoFor
			}
			if !seen.owned { // the list is shared
				first.Aliases, seen.owned = slices.Clone(first.Aliases), true
			}
			first.Aliases = append(first.Aliases, m.Aliases...)
			return nil
		}
		if p.offers+len(models) >= maxOffers {
			return errOffers
		}
		seen.entry, seen.at, seen.owned = p.count, len(models), false
		models = append(models, m)
		return nil
	})
	if p.offered = models; err != nil {
		return nil, err
	}
	p.offers += len(models)
	return slices.Clone(models), nil
}

func (p *parser) model(value gjson.Result) (Model, error) {
	price := money.NoPrice
	if value.Type == gjson.String {
		id, err := p.modelID(value)
		return Model{ID: id, Price: p.price(price)}, err
	}
	if !value.IsObject() {
		return Model{}, errModel
	}
	var id, aliases gjson.Result
	var prices [len(priceNames)]twin
	value.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "id":
			id = v
		case "aliases":
			aliases = v
		default:
			if at, ok := priceMembers[key.Str]; ok {
				prices[at.place].set(v, at.camel)
			}
		}
		return true
	})
	var m Model
	var err error
	if m.ID, err = p.modelID(id); err != nil {
		return Model{}, err
	}
	if m.Aliases, err = p.aliasList(aliases); err != nil {
		return Model{}, err
	}
	for i := range prices {
		from := prices[i].value
		if from.Type == gjson.Null {
			continue // no such member: the price stays unknown
		}
		n, err := strconv.ParseInt(from.Raw, 10, 64)
		if from.Type != gjson.Number || err != nil || n < 0 || money.Micros(n) > money.Max {
			return Model{}, errModelPrice
		}
		priceNames[i].set(&price, money.Micros(n))
	}
	m.Price = p.price(price)
	return m, nil
}

// priceNames are the members that name a price, in micros for a million tokens, or for a thousand searches.
var priceNames = [...]struct {
	name string
	set  func(*money.Price, money.Micros)
}{
	{"inputPriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.Input = m }},
	{"outputPriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.Output = m }},
	{"cacheReadPriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.CacheRead = m }},
	{"cacheWritePriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.CacheWrite = m }},
	{"cacheWrite1hPriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.CacheWrite1h = money.At(m) }},
	{"audioInPriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.AudioIn = money.At(m) }},
	{"audioOutPriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.AudioOut = money.At(m) }},
	{"imageInPriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.ImageIn = money.At(m) }},
	{"imageOutPriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.ImageOut = money.At(m) }},
	{"reasoningPriceMicrosPer1m", func(p *money.Price, m money.Micros) { p.Reasoning = money.At(m) }},
	{"webSearchPriceMicrosPer1k", func(p *money.Price, m money.Micros) { p.WebSearch = money.At(m) }},
}

// priceMembers are their places, by each spelling: camelCase, and snake_case with the digits apart or not.
var priceMembers = func() map[string]priceMember {
	all := make(map[string]priceMember)
	for i, p := range priceNames {
		all[p.name] = priceMember{i, true}
		for _, spelling := range snakes(p.name) {
			all[spelling] = priceMember{place: i}
		}
	}
	return all
}()

type priceMember struct {
	place int
	camel bool
}

// snakes gives the snake_case spellings of a name: digits begin a word, or go on with the one before.
func snakes(camel string) []string {
	spell := func(digits bool) string {
		var b strings.Builder
		for i := range len(camel) {
			c := camel[i]
			isDigit, wasDigit := c >= '0' && c <= '9', i > 0 && camel[i-1] >= '0' && camel[i-1] <= '9'
			if c >= 'A' && c <= 'Z' || digits && isDigit && !wasDigit {
				b.WriteByte('_')
			}
			b.WriteByte(c)
		}
		return strings.ToLower(b.String())
	}
	joined, apart := spell(false), spell(true)
	last := strings.LastIndex(joined, "per1") // the digits of the unit alone
	return []string{joined, apart, joined[:last] + "per_1" + joined[last+len("per1"):]}
}

// modelID gives the one copy of a model's id.
func (p *parser) modelID(value gjson.Result) (string, error) {
	if value.Type != gjson.String || !wire.FitModel(value.Str) {
		return "", errModelID
	}
	p.entryNames, p.entryBytes = p.entryNames+1, p.entryBytes+len(value.Str)
	if p.entryNames > maxEntryNames || p.entryBytes > maxEntryBytes {
		return "", errNames
	}
	known := p.models[value.Str]
	if known == nil {
		if len(p.models) >= maxNames || p.nameBytes+len(value.Str) > maxNameBytes {
			return "", errAllNames
		}
		p.nameBytes += len(value.Str)
		known = &modelName{text: strings.Clone(value.Str)}
		p.models[known.text] = known
	}
	return known.text, nil
}

// aliasList reads a model's aliases. Lists that are written alike are kept once.
func (p *parser) aliasList(value gjson.Result) ([]string, error) {
	if known, ok := p.aliases[value.Raw]; ok {
		if p.entryNames += len(known); p.entryNames > maxEntryNames {
			return nil, errNames
		}
		return known, nil
	}
	if value.Type != gjson.Null && !value.IsArray() {
		return nil, errModelAlias
	}
	var names []string
	err := eachItem(value, "aliases", func(item gjson.Result) error {
		name, err := p.modelID(item)
		names = append(names, name)
		return err
	})
	if err != nil || len(names) == 0 {
		return nil, err
	}
	p.aliases[strings.Clone(value.Raw)] = names
	return names, nil
}

// price gives the one copy of a price.
func (p *parser) price(price money.Price) *money.Price {
	known := p.prices[price]
	if known == nil {
		kept := price
		known = &kept
		p.prices[kept] = known
	}
	return known
}
