package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// PriceConfig is what a seller asks for a model, in US dollars per million tokens. What has no price of its own costs what the
// class costs that contains it: tokens of audio as a part of the prompt are prompt tokens.
type PriceConfig struct {
	// The id of the model. Required.
	Model string `json:"model"`

	// Prompt tokens. Required.
	Input string `json:"input"`

	// Completion tokens. Required.
	Output string `json:"output"`

	// Prompt tokens that were read from the seller's cache. Default: as input.
	CachedInput string `json:"cached_input,omitempty"`

	// Prompt tokens that were written to the seller's cache. Default: as input.
	CacheWrite string `json:"cache_write,omitempty"`

	// Prompt tokens that were written to the seller's cache for an hour. Default: as cache_write.
	CacheWrite1h string `json:"cache_write_1h,omitempty"`

	// Prompt tokens of audio. Default: as input.
	AudioIn string `json:"audio_in,omitempty"`

	// Completion tokens of audio. Default: as output.
	AudioOut string `json:"audio_out,omitempty"`

	// Prompt tokens of images. Default: as input.
	ImageIn string `json:"image_in,omitempty"`

	// Completion tokens of images. Default: as output.
	ImageOut string `json:"image_out,omitempty"`

	// Completion tokens of reasoning. Default: as output.
	Reasoning string `json:"reasoning,omitempty"`

	// Web searches, in US dollars per thousand of them. Default: nothing.
	WebSearch string `json:"web_search,omitempty"`

	// What it costs on other terms than the usual ones. Without a price here a request for them is not sent to a provider with an api_key,
	// unless they cost no more wherever they are known, such as service_tier flex.
	On []*TermsPriceConfig `json:"on,omitempty"`
}

// TermsPriceConfig is what a seller asks for a model that a request asks for on other terms, in US dollars per million tokens. What has no
// price here costs what the class costs that contains it, or its own price where that is more.
type TermsPriceConfig struct {
	// The member by which a request asks for the terms: service_tier, speed or inference_geo. Required.
	Member string `json:"member"`

	// Its value, such as priority, fast or us. Required.
	Value string `json:"value"`

	// Prompt tokens. Required.
	Input string `json:"input"`

	// Completion tokens. Required.
	Output string `json:"output"`

	// Prompt tokens that were read from the seller's cache. Default: as input.
	CachedInput string `json:"cached_input,omitempty"`

	// Prompt tokens that were written to the seller's cache. Default: as input.
	CacheWrite string `json:"cache_write,omitempty"`

	// Prompt tokens that were written to the seller's cache for an hour. Default: as cache_write.
	CacheWrite1h string `json:"cache_write_1h,omitempty"`
}

func (s *SellerConfig) checkPrices() error {
	seen := make(map[string]bool, len(s.Prices))
	for _, p := range s.Prices {
		if p == nil {
			return at("price", errNull)
		}
		err := p.check()
		switch {
		case err != nil:
		case seen[p.Model]:
			err = errRepeated
		case len(s.Models) > 0 && !slices.Contains(s.Models, p.Model):
			err = errors.New("the model is not among the seller's models: expected it there as well, or no models at all")
		}
		if err != nil {
			return at("price "+p.Model, err)
		}
		if err := p.checkOn(); err != nil {
			return at("price_on "+p.Model, err)
		}
		seen[p.Model] = true
	}
	return nil
}

func (p *PriceConfig) check() error {
	if p.Input == "" || p.Output == "" {
		return errors.New("expected a price for input and for output, in US dollars per million tokens")
	}
	if err := checkModel(p.Model); err != nil {
		return err
	}
	for _, class := range p.classes() {
		if err := checkMoney(*class.said); err != nil {
			return at(class.word, err)
		}
	}
	return nil
}

// checkOn: a term that asks for nothing else has the model's own price.
func (p *PriceConfig) checkOn() error {
	seen := make(map[dialect.Term]bool, len(p.On))
	for _, on := range p.On {
		if on == nil {
			return errNull
		}
		term := on.term()
		err := on.plain(p.Model).check()
		switch {
		case !slices.Contains(dialect.TermMembers[:], on.Member):
			err = fmt.Errorf("%q is no member that asks for other terms: expected one of %s", on.Member, strings.Join(dialect.TermMembers[:], ", "))
		case on.Value == "":
			err = errors.New("expected the member's value as well, such as service_tier priority")
		case term.Usual():
			err = errors.New("it asks for the usual terms: expected their price as price alone")
		case seen[term]:
			err = errRepeated
		}
		if err != nil {
			return at(on.Member+" "+on.Value, err)
		}
		seen[term] = true
	}
	return nil
}

// priceClass is a class of usage that may have a price.
type priceClass struct {
	word  string
	said  *string // in US dollars
	apart bool    // the Caddyfile says it with price_of
	to    func(*money.Price, money.Micros)
}

func (p *PriceConfig) classes() []priceClass {
	return []priceClass{
		{"input", &p.Input, false, func(to *money.Price, m money.Micros) { to.Input = m }},
		{"output", &p.Output, false, func(to *money.Price, m money.Micros) { to.Output = m }},
		{"cached_input", &p.CachedInput, false, func(to *money.Price, m money.Micros) { to.CacheRead = m }},
		{"cache_write", &p.CacheWrite, false, func(to *money.Price, m money.Micros) { to.CacheWrite = m }},
		{"cache_write_1h", &p.CacheWrite1h, false, func(to *money.Price, m money.Micros) { to.CacheWrite1h = money.At(m) }},
		{"audio_in", &p.AudioIn, true, func(to *money.Price, m money.Micros) { to.AudioIn = money.At(m) }},
		{"audio_out", &p.AudioOut, true, func(to *money.Price, m money.Micros) { to.AudioOut = money.At(m) }},
		{"image_in", &p.ImageIn, true, func(to *money.Price, m money.Micros) { to.ImageIn = money.At(m) }},
		{"image_out", &p.ImageOut, true, func(to *money.Price, m money.Micros) { to.ImageOut = money.At(m) }},
		{"reasoning", &p.Reasoning, true, func(to *money.Price, m money.Micros) { to.Reasoning = money.At(m) }},
		{"web_search", &p.WebSearch, true, func(to *money.Price, m money.Micros) { to.WebSearch = money.At(m) }},
	}
}

// apart lists the classes that price_of takes.
func (p *PriceConfig) apart() (words []string) {
	for _, class := range p.classes() {
		if class.apart {
			words = append(words, class.word)
		}
	}
	return words
}

func (p *PriceConfig) price() (money.Price, error) {
	price := money.NoPrice
	for _, class := range p.classes() {
		if *class.said == "" {
			continue
		}
		amount, err := money.Parse(*class.said)
		if err != nil {
			return price, at(class.word, err)
		}
		class.to(&price, amount)
	}
	return price, nil
}

// onTerms gives the prices on other terms, usual being that without them.
func (p *PriceConfig) onTerms(usual money.Price) (all []routing.OnTerms, err error) {
	for _, on := range p.On {
		price, err := on.plain(p.Model).price()
		if err != nil {
			return nil, at(on.Member+" "+on.Value, err)
		}
		for _, class := range []struct {
			usual money.Own
			whole money.Micros
			to    *money.Own
		}{
			{usual.AudioIn, price.Input, &price.AudioIn},
			{usual.ImageIn, price.Input, &price.ImageIn},
			{usual.AudioOut, price.Output, &price.AudioOut},
			{usual.ImageOut, price.Output, &price.ImageOut},
			{usual.Reasoning, price.Output, &price.Reasoning},
		} {
			if class.usual.Named() {
				*class.to = money.At(max(class.usual.Or(0), class.whole))
			}
		}
		price.WebSearch = usual.WebSearch
		model, err := routing.NewModel(p.Model, price) // which holds it to what a price can be
		if err != nil {
			return nil, at(on.Member+" "+on.Value, err)
		}
		all = append(all, routing.OnTerms{Term: on.term(), Price: model.Price})
	}
	return all, nil
}

func (t *TermsPriceConfig) term() dialect.Term { return dialect.Term{Member: t.Member, Value: t.Value} }

// plain is the price by itself.
func (t *TermsPriceConfig) plain(model string) *PriceConfig {
	return &PriceConfig{
		Model: model, Input: t.Input, Output: t.Output, CachedInput: t.CachedInput, CacheWrite: t.CacheWrite, CacheWrite1h: t.CacheWrite1h,
	}
}
