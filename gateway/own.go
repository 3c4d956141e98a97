package gateway

import (
	"net/http"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/page"
)

// The page of a member on the site, where the config has one: the document, and the member's own rows that it shows.

func isPage(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == page.Path }

func isOwn(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == page.OwnPath }

// page answers with the document. It says nothing of anybody, and so asks for no key.
func (rq *request) page(p *reply) *dialect.Refusal {
	view := page.Member
	if rq.identifyReader() == nil {
		view = page.Known
	}
	page.Write(p.w, view)
	return nil
}

// own answers with the member's own rows.
func (rq *request) own(p *reply) *dialect.Refusal {
	if refusal := rq.identifyReader(); refusal != nil {
		return refusal
	}
	summing.Lock()
	own, err := page.OwnOf(rq.r.Context(), rq.gw.market, rq.member)
	summing.Unlock()
	if err != nil {
		rq.log.Warn("proxy.page.failed", zap.String("requestId", rq.id), zap.Error(err))
		return dialect.NoSeller(retryLater).Because("The books of this gateway can't be read just now.")
	}
	page.WriteOwn(p.w, own)
	return nil
}
