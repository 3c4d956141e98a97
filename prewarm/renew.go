package prewarm

import (
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
)

const (
	usedSpan  = 2 // intervals: a token that was not used for so long is not renewed
	aheadSpan = 3 // intervals before its expiry margin: from then on it is
)

// renew has tokens bought that requests would soon have to wait for. It waits for none.
func (w *Warmer) renew() {
	if w.desk == nil {
		return
	}
	w.mu.Lock()
	interval, sites := w.interval(), w.sites // the newest first; the slice is replaced where it changes
	w.mu.Unlock()
	for _, a := range w.desk.Aging(usedSpan*interval, aheadSpan*interval) {
		for _, s := range sites {
			if s.renew(a) {
				break
			}
		}
	}
}

// renew begins the purchase if the site can buy from the seller.
func (s *Site) renew(a purchase.Aging) bool {
	if !s.enter() {
		return false
	}
	defer s.exit()
	want, ok := s.o.Catalogue.Want(a.SellerID, a.Origin, a.Model)
	if !ok {
		return false
	}
	w := s.warmer
	begun, err := w.desk.Renew(a, want)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		w.count.renewalsRefused++
		w.log.Debug("prewarm.renewal.refused", zap.String("seller", a.SellerID), zap.Error(err))
	case begun:
		w.count.renewals++
		w.log.Info("prewarm.renewal.begun", zap.String("seller", a.SellerID))
	}
	return true
}
