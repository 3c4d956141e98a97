package routing

import (
	"slices"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// What pinned sellers list of their own: a table serves it beside the models that the config names.

// ListAddress is the URL of the seller's own list of models.
func (s *Seller) ListAddress() string {
	if strings.HasPrefix(s.ListPath, "/v1/") {
		return s.Address(s.ListPath, "")
	}
	return wire.URL(s.BaseURL, s.ListPath, s.Query)
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
