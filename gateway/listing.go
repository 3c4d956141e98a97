package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	listEvery = time.Minute
	listAgain = time.Second      // after a read that failed; it doubles up to listEvery
	listTime  = 10 * time.Second // what reading a list may take
	maxList   = 8 << 20          // bytes
)

// list is the list of models that a pinned seller has of its own.
type list struct {
	seller *routing.Seller
	first  chan struct{} // closed when the list is known, or its first read has ended
	known  atomic.Bool   // it was read, now or by another config
}

// recallLists has the table know the lists of its pinned sellers as they were read last, by this config or by another one.
func (gw *Gateway) recallLists(current bool) {
	for _, s := range gw.settings.Pinned {
		if s.ListPath == "" {
			continue
		}
		kept, release := gw.market.List(s, gw.accountHeader(s))
		gw.needs = append(gw.needs, release)
		l := &list{seller: s, first: make(chan struct{})}
		models, known := kept.Models()
		if known {
			gw.table.Listed(s.ID, models)
			l.known.Store(true)
		}
		if known || !current { // for a late request nothing is read
			close(l.first)
		}
		gw.lists = append(gw.lists, l)
	}
}

// watchLists reads the lists of models that pinned sellers have of their own, now and each minute, until stop is called. The last
// good list stays while one can't be read, which is tried again sooner.
func (gw *Gateway) watchLists() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, l := range gw.lists {
		running.Go(func() { gw.watchList(ctx, l) })
	}
	return func() { cancel(); running.Wait() }
}

func (gw *Gateway) watchList(ctx context.Context, l *list) {
	again := listAgain
	for {
		wait := listEvery
		err := gw.takeList(ctx, l)
		l.readOnce()
		if err == nil {
			again = listAgain
		} else {
			wait, again = again, min(2*again, listEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// takeList reads a list and has the table know it.
func (gw *Gateway) takeList(ctx context.Context, l *list) error {
	id, account := l.seller.ID, gw.accountHeader(l.seller)
	models, err := gw.readList(ctx, l.seller, account)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		gw.table.ListUnread(id, err.Error())
		gw.log.Warn("seller.models.unread", zap.String("seller", id), zap.Error(err))
		return err
	}
	changed := gw.table.Listed(id, models)
	l.known.Store(true)
	if changed {
		gw.desk.SellersChanged()
		gw.log.Info("seller.models.listed", zap.String("seller", id), zap.Int("models", len(models)))
	}
	kept, release := gw.market.List(l.seller, account) // another one than before where the key has changed in its file
	defer release()
	kept.Keep(models)
	return nil
}

// readOnce lets those go on who wait for the first read. The one who watches the list calls it.
func (l *list) readOnce() {
	if !l.isRead() {
		close(l.first)
	}
}

func (l *list) isRead() bool {
	select {
	case <-l.first:
		return true
	default:
		return false
	}
}

// unlisted tells whether there is a list that was never read: then nobody knows what its seller has.
func (gw *Gateway) unlisted() bool {
	return slices.ContainsFunc(gw.lists, func(l *list) bool { return !l.known.Load() })
}

// indexFor is the index for a model that is asked for; empty: for all. One that no pinned seller is known to have may stand in a list of
// which nothing is known yet: the end of its first read is waited for, but not at the end of the process.
func (gw *Gateway) indexFor(ctx context.Context, model string) *routing.Index {
	index := gw.index(ctx)
	for _, l := range gw.lists {
		if l.isRead() {
			continue
		}
		if index.Pins(model) {
			break
		}
		select {
		case <-l.first:
		case <-ctx.Done():
		case <-gw.shutdown.Done():
		}
		index = gw.table.Index()
	}
	return index
}

// accountHeader are the headers of the operator's account at a seller, as they are by now.
func (gw *Gateway) accountHeader(s *routing.Seller) http.Header {
	header := make(http.Header)
	if own, ok := gw.account(s); ok {
		own.Dress(header.Set)
	}
	return header
}

// readList gives the ids of the models that a seller lists to an account, in order.
func (gw *Gateway) readList(ctx context.Context, s *routing.Seller, account http.Header) (ids []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	header := relay.RequestHeader(http.Header{}, "", "")
	maps.Copy(header, account)
	response, err := relay.Send(ctx, relay.Call{
		Method: http.MethodGet, URL: s.ListAddress(), Header: header, Transport: gw.transport(s),
	})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, more, err := relay.ReadWhole(response.Body, maxList, nil)
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the list of models of seller %s broke off", s.ID)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("seller %s answers %d where its list of models should be", s.ID, response.StatusCode)
	case more, json.Unmarshal(wire.TrimMark(body), &list) != nil, list.Data == nil, len(list.Data) > market.MaxListed:
		return nil, fmt.Errorf("what seller %s gives is no list of models: expected an object with data, and in it ids", s.ID)
	}
	for _, m := range list.Data {
		if wire.FitModel(m.ID) {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
