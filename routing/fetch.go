package routing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/netfault"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// maxLogged bounds how many sellers of one document are named in the log for each reason.
const maxLogged = 20

// fetch asks the registry once. Whatever goes wrong, the document that is there stays.
func (r *Registry) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), nil)
	if err != nil {
		return errors.New("the URL can't be asked")
	}
	if user := req.URL.User; user != nil { // a round trip alone does not do it
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
		req.URL.User = nil
	}
	req.Header.Set("Accept", "application/json")
	etag := r.fetched().etag
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := r.o.Transport.RoundTrip(req)
	if err != nil {
		return r.reason(ctx, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		r.confirm()
		return nil
	case resp.StatusCode == http.StatusRequestEntityTooLarge && resp.Header.Get(wire.HeaderRegistryTooLarge) != "":
		return errors.New("status 413: the registry says that its document is too large")
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", resp.StatusCode)
	case resp.ContentLength > r.o.MaxSize:
		return r.tooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.o.MaxSize+1))
	if err != nil {
		return r.reason(ctx, err)
	}
	if int64(len(body)) > r.o.MaxSize {
		return r.tooLarge()
	}
	return r.take(body, resp.Header.Get("ETag"))
}

func (r *Registry) tooLarge() error {
	return fmt.Errorf("the document is over the limit of %d bytes; raise the registry's max_size if it is meant to be", r.o.MaxSize)
}

// take makes a body that came with status 200 the document.
func (r *Registry) take(body []byte, etag string) error {
	if !validETag(etag) {
		etag = ""
	}
	before, sum := r.fetched(), sha256.Sum256(body)
	if r.doc.Load() == nil || sum != before.sum {
		doc, faults, err := ParseDocument(body)
		if err != nil {
			return err
		}
		r.swap(doc)
		r.logDocument(doc, faults)
	}
	r.mu.Lock()
	r.state.etag, r.state.sum = etag, sum
	if r.o.Cache != nil && (sum != before.sum || etag != before.etag) {
		r.state.unsaved, r.state.told = body, before.told && sum == before.sum
	}
	r.mu.Unlock()
	r.confirm()
	return nil
}

// save has the cache keep the document, unless it does. Where it can't, that is told of once for each document, and tried again after
// the next fetch, whatever comes of that.
func (r *Registry) save() {
	state := r.fetched()
	if state.unsaved == nil {
		return
	}
	err := r.o.Cache.Save(state.unsaved, state.etag)
	if err == nil {
		state.unsaved = nil
	} else if !state.told {
		r.log.Warn("registry.cache.save_failed", zap.Error(err))
	}
	r.mu.Lock()
	r.state.unsaved, r.state.told = state.unsaved, err != nil
	r.mu.Unlock()
}

// loadCache starts with the last good document of an earlier process.
func (r *Registry) loadCache() {
	if r.o.Cache == nil {
		return
	}
	body, etag, err := r.o.Cache.Load()
	if err == nil && body == nil {
		return
	}
	var doc *Document
	var faults []Fault
	if err == nil {
		doc, faults, err = ParseDocument(body)
	}
	if err != nil {
		r.log.Warn("registry.cache.load_failed", zap.Error(err))
		return
	}
	r.mu.Lock()
	r.state.etag, r.state.sum = etag, sha256.Sum256(body)
	r.mu.Unlock()
	r.swap(doc)
	r.logDocument(doc, faults)
	r.release()
}

func (r *Registry) fetched() fetchState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// confirm notes that the registry stands by the document.
func (r *Registry) confirm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.fetched, r.state.failed = time.Now(), nil
}

// fail notes a fetch that failed, and what goes on serving meanwhile.
func (r *Registry) fail(err error) {
	r.mu.Lock()
	r.state.failed = err
	fetched := r.state.fetched
	r.mu.Unlock()
	fields := []zap.Field{zap.String("reason", err.Error())}
	if doc := r.doc.Load(); doc != nil {
		fields = append(fields, zap.String("version", doc.Version), zap.Int("sellers", len(doc.Sellers)))
	} else {
		fields = append(fields, zap.Int("sellers", 0), zap.String("hint", "there has never been a document to fall back to"))
	}
	if !fetched.IsZero() {
		fields = append(fields, zap.Duration("age", time.Since(fetched)))
	}
	r.log.Warn("registry.stale_fallback", fields...)
}

func (r *Registry) logDocument(doc *Document, faults []Fault) {
	r.log.Info("registry.document", zap.String("version", doc.Version),
		zap.Int("sellers", len(doc.Sellers)), zap.Int("left_out", doc.LeftOut))
	for _, f := range faults[:min(len(faults), maxLogged)] {
		r.log.Warn("registry.seller.left_out", zap.String("seller", f.ID), zap.String("reason", f.Reason))
	}
	if more := doc.LeftOut - maxLogged; more > 0 {
		r.log.Warn("registry.seller.left_out", zap.Int("more", more))
	}
}

// warnMoved warns of sellers that have another origin than before: what was bought from them is not good there.
func (r *Registry) warnMoved(before, after *Document) {
	if before == nil {
		return
	}
	moved := 0
	for _, s := range after.Sellers {
		was := before.Seller(s.ID)
		if was == nil || was.Origin == s.Origin {
			continue
		}
		if moved++; moved <= maxLogged {
			r.log.Warn("registry.seller.moved", zap.String("seller", s.ID), zap.String("from", was.Origin), zap.String("to", s.Origin))
		}
	}
	if moved > maxLogged {
		r.log.Warn("registry.seller.moved", zap.Int("more", moved-maxLogged))
	}
}

// reason says why there was no answer, in words of our own: a transport's error may quote what the other side sent.
func (r *Registry) reason(ctx context.Context, err error) error {
	op, broke := errors.AsType[*net.OpError](err)
	switch why := netfault.Why(err); {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no whole answer within %s", r.o.Timeout)
	case why != "":
		return errors.New(why)
	case broke && op.Op == "dial":
		return fmt.Errorf("no connection: %w", op.Err)
	case broke, errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection broke")
	}
	return errors.New("no answer that can be read")
}
