package seller

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
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

// sells tells whether a model is sold. Where that is not known yet, a purchase needs not wait for it: credit is for all of them.
func (s *Seller) sells(r *http.Request, id string) bool {
	if s.Upstream == nil {
		return s.models[id] != nil
	}
	offers := s.Upstream.catalog.sold(r.Context())
	_, there := offers[id]
	return there || offers == nil
}
