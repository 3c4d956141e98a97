package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

const (
	listEvery = time.Minute
	listTime  = 10 * time.Second // what reading a list may take
	maxList   = 8 << 20          // bytes
	maxListed = 20_000           // models
)

// watchLists reads the lists of models that pinned sellers have of their own, now and each minute, until stop is called. The last
// good list stays while one can't be read.
func (gw *Gateway) watchLists() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, s := range gw.settings.Pinned {
		if s.ListPath != "" {
			running.Go(func() { gw.watchList(ctx, s) })
		}
	}
	return func() { cancel(); running.Wait() }
}

func (gw *Gateway) watchList(ctx context.Context, s *routing.Seller) {
	ticker := time.NewTicker(listEvery)
	defer ticker.Stop()
	for {
		models, err := gw.readList(ctx, s)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			gw.log.Warn("seller.models.unread", zap.String("seller", s.ID), zap.Error(err))
		case gw.table.Listed(s.ID, models):
			gw.desk.SellersChanged()
			gw.log.Info("seller.models.listed", zap.String("seller", s.ID), zap.Int("models", len(models)))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// readList gives the ids of the models that a seller lists, in order.
func (gw *Gateway) readList(ctx context.Context, s *routing.Seller) (ids []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	header := relay.RequestHeader(http.Header{}, "", "")
	if own, ok := gw.account(s); ok {
		own.Dress(header.Set)
	}
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
	case more, json.Unmarshal(body, &list) != nil, list.Data == nil, len(list.Data) > maxListed:
		return nil, fmt.Errorf("what seller %s gives is no list of models: expected an object with data, and in it ids", s.ID)
	}
	for _, m := range list.Data {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
