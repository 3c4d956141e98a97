package market

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// MaxListed is how many models a seller's own list may have.
const MaxListed = 20_000

// List is the last good list of models that a pinned seller has of its own, over reloads, and over restarts in a file of the
// ledger's directory. It is that of one seller's id, one address and one account: what is listed elsewhere, under another name or to
// another key, says nothing of what is there. Sites that share a ledger may have accounts of their own at one provider.
type List struct {
	of     string // a digest of these, which nobody can make who has not the ledger's key, as there are secrets among them
	file   string
	cache  routing.Cache
	logger *zap.Logger
	users  int // guarded by Market.mu

	mu      sync.Mutex // held while the file is read and written, too
	loaded  bool
	known   bool
	models  []string
	unsaved bool // the file does not have them: writing it has failed
}

// UnreadList is a pinned seller's own list of models that could not be read last.
type UnreadList struct {
	SellerID string `json:"sellerId"`
	Error    string `json:"error"`
}

// UnreadLists gives those of the sellers that the running configs name, in order.
func (m *Market) UnreadLists() []UnreadList {
	var all []UnreadList
	for _, t := range m.tables.now() {
		t.UnreadLists(func(sellerID, why string) { all = append(all, UnreadList{sellerID, why}) })
	}
	slices.SortFunc(all, func(a, b UnreadList) int {
		return cmp.Or(cmp.Compare(a.SellerID, b.SellerID), cmp.Compare(a.Error, b.Error))
	})
	return slices.Compact(all)
}

// keptList is what is in the file.
type keptList struct {
	Of     string   `json:"of"`
	Models []string `json:"models"`
}

// List gives what is kept of a pinned seller's own list of models, shared by all gateways of the market until they release it. account are
// the headers that the list is asked for with, which say whose it is.
func (m *Market) List(s *routing.Seller, account map[string][]string) (l *List, release func()) {
	digest := hmac.New(sha256.New, m.listKey[:])
	digest.Write([]byte(s.ID + " " + s.ListAddress() + "\n")) // there is no space in an id
	_ = json.NewEncoder(digest).Encode(account)               // by their names in order; a digest takes what it is given
	of := hex.EncodeToString(digest.Sum(nil))
	m.mu.Lock()
	defer m.mu.Unlock()
	if l = m.lists[of]; l == nil {
		file := filepath.Join(m.dir, "models-"+of[:16]+".json")
		l = &List{
			of: of, file: file, cache: routing.FileCache(file),
			logger: m.logger.With(zap.String("seller", s.ID)),
		}
		if m.lists == nil {
			m.lists = make(map[string]*List)
		}
		m.lists[of] = l
	}
	l.users++
	return l, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(m.lists, of)
		}
	}
}

// Models gives the ids that the seller has listed last, sorted, which are not to be changed. known is false where nothing is kept.
func (l *List) Models() (models []string, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.load()
	return l.models, l.known
}

// Keep keeps the ids that a seller lists, sorted, which are not to be changed any more. Where the file can't be written, that is
// told of once for each list, and tried again with the next read.
func (l *List) Keep(models []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.load()
	changed := !l.known || !slices.Equal(models, l.models)
	if !changed && !l.unsaved {
		return
	}
	l.known, l.models = true, models
	document, err := json.Marshal(keptList{l.of, models})
	if err == nil {
		err = l.cache.Save(document, "")
	}
	l.unsaved = err != nil
	if err != nil && changed {
		l.logger.Warn("seller.models.save_failed", zap.Error(err))
	}
}

// load takes up the list of an earlier process, once. A file that is damaged is as none. l.mu is held.
func (l *List) load() {
	if l.loaded {
		return
	}
	l.loaded = true
	document, _, err := l.cache.Load()
	if err == nil && document == nil {
		return
	}
	var kept keptList
	if err == nil {
		err = l.parse(document, &kept)
	}
	if err != nil {
		l.logger.Warn("seller.models.load_failed", zap.Error(err))
		return
	}
	l.known, l.models = true, kept.Models
}

// parse reads what Keep has written of this list.
func (l *List) parse(document []byte, kept *keptList) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	switch {
	case d.Decode(kept) != nil, len(kept.Models) > MaxListed, !slices.IsSorted(kept.Models),
		slices.ContainsFunc(kept.Models, func(id string) bool { return !wire.FitModel(id) }):
		return errors.New("the file has no list of models; it is ignored, and replaced after the next read")
	case kept.Of != l.of:
		return errors.New("the file has the list of another seller, address or account; it is ignored, and replaced after the next read")
	}
	return nil
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
