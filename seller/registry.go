package seller

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const registryPath = "/registry.json"

type registryDocument struct {
	Version       string          `json:"version"`
	DefaultSeller string          `json:"defaultSeller"`
	Sellers       []registryEntry `json:"sellers"`
}

type registryEntry struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	URL            string   `json:"url"`
	Protocols      []string `json:"protocols"`
	PaymentMethods []string `json:"paymentMethods"`
	Models         []any    `json:"models"` // a registryModel, or the id alone where there is no price
}

type registryModel struct {
	ID         string        `json:"id"`
	Aliases    []string      `json:"aliases,omitempty"`
	Input      *money.Micros `json:"inputPriceMicrosPer1m,omitempty"`
	Output     *money.Micros `json:"outputPriceMicrosPer1m,omitempty"`
	CacheRead  *money.Micros `json:"cacheReadPriceMicrosPer1m,omitempty"`
	CacheWrite *money.Micros `json:"cacheWritePriceMicrosPer1m,omitempty"`

	CacheWrite1h *money.Micros `json:"cacheWrite1hPriceMicrosPer1m,omitempty"`
}

// serveRegistry answers with a registry document that lists this seller alone.
func (s *Seller) serveRegistry(w http.ResponseWriter, r *http.Request) {
	entry := registryEntry{
		ID: s.ID, Name: s.name, URL: s.url, PaymentMethods: s.methods,
		Protocols: []string{"chat_completions", "responses", "messages", "completions", "embeddings"},
	}
	if entry.URL == "" {
		entry.URL = "http://" + r.Host
		if r.TLS != nil {
			entry.URL = "https://" + r.Host
		}
	}
	if s.Upstream != nil {
		entry.Protocols = s.Upstream.speaks()
	}
	for _, m := range s.listed(r) {
		m.Aliases = slices.DeleteFunc(slices.Clone(m.Aliases), unfit)
		if unfit(m.ID) {
			continue // gateways would leave out the whole seller for it
		}
		if m.InputPrice == nil && len(m.Aliases) == 0 {
			entry.Models = append(entry.Models, m.ID)
			continue
		}
		entry.Models = append(entry.Models, registryModel{
			ID: m.ID, Aliases: m.Aliases, Input: m.InputPrice, Output: m.OutputPrice, CacheRead: m.CacheReadPrice, CacheWrite: m.CacheWritePrice,
			CacheWrite1h: m.cacheWrite1h,
		})
	}
	if entry.Models == nil {
		entry.Models = []any{}
	}
	list, _ := json.Marshal(entry) // texts and integers always encode
	sum := sha256.Sum256(list)
	version := hex.EncodeToString(sum[:8])
	body, _ := json.Marshal(registryDocument{Version: version, DefaultSeller: s.ID, Sellers: []registryEntry{entry}})
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+version+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// listed are the models that are sold just now.
func (s *Seller) listed(r *http.Request) []Model {
	if s.Upstream == nil {
		return s.Models
	}
	ids, offers := s.Upstream.catalog.ids(r.Context())
	models := make([]Model, len(ids))
	for i, id := range ids {
		models[i] = *offers[id].Model
	}
	return models
}

// unfit tells whether a model's id can stand in no registry's document.
func unfit(id string) bool { return !wire.FitModel(id) }

// warnOfModels tells of those that are sold to nobody who looks for them in a registry.
func (s *Seller) warnOfModels() {
	var ids []string
	for _, m := range s.Models {
		ids = append(append(ids, m.ID), m.Aliases...)
	}
	if s.Upstream != nil {
		ids = slices.AppendSeq(append(ids, s.Upstream.Models...), maps.Keys(s.Upstream.Names))
	}
	for _, id := range ids {
		if unfit(id) {
			s.logger.Warn("seller.model.unlisted", zap.String("seller", s.ID), zap.String("model", strconv.QuoteToASCII(id)),
				zap.String("hint", "no gateway takes an id with control characters in it, or what is no UTF-8: the registry's entry leaves it out"))
		}
	}
}

// sells tells whether a model is sold. Where that is not known yet, a purchase needs not wait for it: credit is for all of them.
func (s *Seller) sells(r *http.Request, id string) bool {
	if s.Upstream == nil {
		return s.models[id] != nil
	}
	offers := s.Upstream.catalog.sold(r.Context())
	_, there := offers[id]
	return there || offers == nil
}
