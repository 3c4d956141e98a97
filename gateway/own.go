package gateway

import (
	"net/http"
	"path"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/page"
)

// What a member asks of its own: how it stands, by the API; and where the config has a page for members on the site, the document and the rows
// that it shows.

func isKey(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == dialect.KeyPath }

func isPage(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == page.Path }

// isPageUnslashed tells of the page's address as people type it. It is another handler's, where the site has one for it.
func isPageUnslashed(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path == strings.TrimSuffix(page.Path, "/")
}

func isOwn(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == page.OwnPath }

// summing lets one request at a time read all that was ever spent.
var summing sync.Mutex

// key tells a member how it stands.
func (rq *request) key(p *reply) *dialect.Refusal {
	if refusal := rq.identifyReader(); refusal != nil {
		return refusal
	}
	ctx, name := rq.r.Context(), rq.member.Name
	var groups []string
	if g := rq.member.Group; g != nil {
		groups = []string{g.Name}
	}
	rq.gw.ledger.Refresh(ctx, []string{name}, groups)
	spent, err := rq.gw.ledger.SpentBy(ctx, name)
	k := dialect.Key{Label: name, Daily: spent.Daily, Weekly: spent.Weekly, Monthly: spent.Monthly}
	if err == nil {
		summing.Lock()
		k.Usage, err = rq.gw.ledger.SpentInAll(ctx, name)
		summing.Unlock()
		k.Usage = max(k.Usage, k.Daily, k.Weekly, k.Monthly) // of a fleet those are of all gateways, and the books this one's
	}
	if err != nil {
		rq.log.Warn("proxy.key.failed", zap.String("requestId", rq.id), zap.Error(err))
		return unread()
	}
	if least, ok := leastLeft(rq.reserve().States()); ok {
		k.Bound = &dialect.Allowance{Limit: least.BudgetMicros, Left: least.LeftMicros(), Reset: least.Period()}
	}
	dialect.WriteKey(p.w, k)
	return nil
}

// page answers with the document. It says nothing of anybody, and so asks for no key.
func (rq *request) page(p *reply) *dialect.Refusal {
	view := page.Member
	if rq.identifyReader() == nil {
		view = page.Known
	}
	page.Write(p.w, view)
	return nil
}

// toPage sends a browser on to the page. It goes by the address that the browser has asked for, of which handlers before this one may have
// taken off the beginning.
func toPage(p *reply) *dialect.Refusal {
	h := p.w.Header()
	h.Set("Location", path.Base(page.Path)+"/")
	h.Set("Cache-Control", "no-store")
	p.status = http.StatusTemporaryRedirect
	p.w.WriteHeader(p.status)
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
		return unread()
	}
	page.WriteOwn(p.w, own)
	return nil
}

// unread is what a member is told while the books can't be read.
func unread() *dialect.Refusal {
	return dialect.NoSeller(retryLater).Because("The books of this gateway can't be read just now.")
}
