package routing

import (
	"net/url"
	"slices"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Door is where a seller has its model APIs, if not at <url>/v1.
type Door struct {
	// PathPrefix stands where /v1 would, such as /api/v3; "/": nothing does; empty: /v1.
	PathPrefix string
	// Query goes to every path, those of health and purchases too, and before the client's own; it has no question mark.
	Query string
}

// CutQuery parts a URL from its query. A URL that has anything wrong with it is left as it is, for wire.ParseURL to say so.
func CutQuery(raw string) (base, query string) {
	if strings.Contains(raw, "#") || len(raw) > wire.MaxURL {
		return raw, ""
	}
	base, query, _ = strings.Cut(raw, "?")
	if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return raw, ""
	}
	if _, err := url.ParseQuery(query); err != nil {
		return raw, ""
	}
	return base, query
}

// Address gives the URL of a path of the model APIs at the seller. The path begins with /v1/; query is the client's, without a
// question mark.
func (s *Seller) Address(path, query string) string {
	if rest, ok := strings.CutPrefix(path, "/v1/"); ok && s.Door.PathPrefix != "" {
		path = strings.TrimRight(s.Door.PathPrefix, "/") + "/" + rest
	}
	return wire.URL(s.BaseURL, path, wire.Query(s.Door.Query, query))
}

// Theirs is what the seller calls a model.
func (s *Seller) Theirs(model string) string {
	if name, ok := s.Names[model]; ok {
		return name
	}
	return model
}

// Listed tells a table which models a pinned seller lists beside those that the config names, by the seller's ids. What the
// config calls otherwise, or names, stays as it is. It says whether that changes anything.
func (t *Table) Listed(sellerID string, theirs []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.unread, sellerID)
	i := slices.IndexFunc(t.o.Pinned, func(s *Seller) bool { return s.ID == sellerID })
	if i < 0 {
		return false
	}
	if t.byHand == nil {
		t.byHand = make(map[string][]Model)
	}
	was := t.o.Pinned[i]
	if _, there := t.byHand[sellerID]; !there {
		t.byHand[sellerID] = was.Models
	}
	models, known := slices.Clone(t.byHand[sellerID]), make(map[string]bool)
	for _, m := range models {
		known[m.ID] = true
	}
	for _, name := range was.Names {
		known[name] = true
	}
	delete(t.unlisted, sellerID)
	for _, m := range t.byHand[sellerID] {
		if !slices.Contains(theirs, was.Theirs(m.ID)) {
			if t.unlisted == nil {
				t.unlisted = make(map[string][]string)
			}
			t.unlisted[sellerID] = append(t.unlisted[sellerID], m.ID)
		}
	}
	for _, id := range theirs {
		if m, err := NewModel(id, money.NoPrice); err == nil && !known[id] {
			known[id] = true
			models = append(models, m)
		}
	}
	same := func(a, b Model) bool { return a.ID == b.ID }
	if slices.EqualFunc(models, was.Models, same) {
		return false
	}
	now := *was
	now.Models = models
	t.o.Pinned = slices.Clone(t.o.Pinned)
	t.o.Pinned[i] = &now
	t.update(t.index.Load().doc)
	return true
}

// ListAddress is the URL of the seller's own list of models.
func (s *Seller) ListAddress() string {
	if strings.HasPrefix(s.ListPath, "/v1/") {
		return s.Address(s.ListPath, "")
	}
	return wire.URL(s.BaseURL, s.ListPath, s.Door.Query)
}

// Unlisted calls for the models that the config names of a seller and that the seller's own list has not.
func (t *Table) Unlisted(visit func(sellerID, model string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, models := range t.unlisted {
		for _, model := range models {
			visit(id, model)
		}
	}
}

// ListUnread tells a table why a pinned seller's own list can't be read, until Listed is called.
func (t *Table) ListUnread(sellerID, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.unread == nil {
		t.unread = make(map[string]string)
	}
	t.unread[sellerID] = why
}

// UnreadLists calls for the pinned sellers whose own list can't be read, with the reason.
func (t *Table) UnreadLists(visit func(sellerID, why string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, why := range t.unread {
		visit(id, why)
	}
}
