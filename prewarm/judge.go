package prewarm

import (
	"slices"
	"time"

	"go.uber.org/zap"
)

// judge counts what was found, and reports the failures unless they are the gateway's own.
func (s *sweep) judge() Result {
	r := Result{TookMs: time.Since(s.started).Milliseconds()}
	var failed []*target
	for _, t := range s.order {
		switch {
		case t.known || !t.found.probed:
		case t.found.healthy:
			r.Healthy++
		case t.found.forbidden:
		default:
			failed = append(failed, t)
		}
	}
	r.Failed, r.Probed = len(failed), r.Healthy+len(failed)
	r.NetworkDown = networkDown(r.Probed, r.Failed)
	if r.NetworkDown {
		s.warmer.log.Warn("prewarm.network.down", zap.Int("probed", r.Probed), zap.Int("failed", r.Failed))
	}
	for _, t := range failed {
		if r.NetworkDown {
			t.found = health{}
			continue
		}
		s.warmer.log.Debug("prewarm.probe.failed", zap.String("seller", t.seller.ID), zap.Duration("took", t.found.took))
		t.site.o.Catalogue.Probed(t.seller, false, t.found.took)
	}
	return r
}

// networkDown tells whether so many failures at once are the gateway's own network: more than half, and at least three.
func networkDown(probed, failed int) bool { return failed >= 3 && 2*failed > probed }

// conclude writes down what the sweep has found. The warmer's mu is held.
func (s *sweep) conclude(r *Result) {
	w := s.warmer
	now := time.Now()
	for e, m := range s.members {
		if s.lazy && !m.due {
			continue
		}
		probed, healthy := s.foundOf(m)
		switch {
		case healthy > 0:
			if m.healthy = healthy; e.now(s.started) != Warm {
				s.turned = append(s.turned, m)
			}
			e.warmed(now, s.interval)
		case m.due && probed > 0:
			e.failed(s.started, s.interval)
		case m.due:
			e.interrupted()
		}
		if m.due {
			r.Entries++
		}
	}
	if s.lazy {
		w.count.lazy++
	} else {
		clear(w.found)
		w.count.sweeps++
		w.count.lastSweep = now
	}
	for k, t := range s.targets {
		if t.found.probed {
			w.found[k] = t.found
		}
	}
	w.count.probes += int64(r.Probed)
	w.count.failures += int64(r.Failed)
	if r.NetworkDown {
		w.count.networkDown++
	}
	w.running = false
}

// foundOf counts the sellers of an entry that were probed, and those of them that are healthy.
func (s *sweep) foundOf(m *membership) (probed, healthy int) {
	for _, k := range m.sellers {
		if t := s.targets[k]; t != nil && t.found.probed {
			probed++
			if t.found.healthy {
				healthy++
			}
		}
	}
	return probed, healthy
}

// tellWarm logs which models have become warm, each once until it is so no more.
func (s *sweep) tellWarm() {
	for _, m := range s.turned {
		s.warmer.log.Info("route.candidates.prewarmed", zap.String("model", m.key.model), zap.String("protocol", string(m.key.protocol)),
			zap.String("paymentMethod", m.key.method), zap.Int("candidates", m.pool), zap.Int("healthy", m.healthy))
	}
}

// tellStart logs what came of a site's first sweep where there is something to say.
func (s *sweep) tellStart(offers []offer) {
	if s.lazy || s.warmer.ctx.Err() != nil {
		return
	}
	for _, site := range s.sites {
		if site.begun || site.ctx.Err() != nil {
			continue
		}
		site.begun = true
		probed, healthy := s.found(site, offers)
		switch {
		case probed == 0:
			s.warmer.log.Info("prewarm.startup.skipped", zap.String("reason", "nothing to warm"))
		case healthy == 0:
			s.warmer.log.Warn("prewarm.startup.failed", zap.String("error", "no seller is healthy"), zap.Int("probed", probed))
		}
	}
}

// found counts the sellers of a site's offers.
func (s *sweep) found(site *Site, offers []offer) (probed, healthy int) {
	seen := make(map[*target]bool)
	for _, o := range offers {
		if o.site != site {
			continue
		}
		for _, seller := range slices.Concat(o.pool, o.sample) {
			t := s.targets[sellerKey{seller.ID, seller.Origin}]
			if t == nil || seen[t] {
				continue
			}
			seen[t] = true
			probed++
			if t.found.probed && t.found.healthy {
				healthy++
			}
		}
	}
	return probed, healthy
}
