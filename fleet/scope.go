package fleet

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// By the store's clock.
const (
	wantedFor = 2 * time.Second // a gateway that lacks something says so again within
	deafAfter = 3 * time.Second // a gateway that lives has given back what others want within
)

// scope is a budget in one period.
type scope struct {
	Parts   map[string]*portion `json:"p"`
	Typical money.Micros        `json:"n,omitempty"` // what a request has lacked last
}

// live is how many gateways have a part that is not done with.
func (sc *scope) live() money.Micros {
	n := money.Micros(0)
	for _, p := range sc.Parts {
		if !p.Done {
			n++
		}
	}
	return max(1, n)
}

// over tells whether all gateways have made their last report.
func (sc *scope) over() bool {
	for _, p := range sc.Parts {
		if !p.Done {
			return false
		}
	}
	return true
}

// call notes that what is free is wanted.
func (sc *scope) call(now int64) {
	for _, p := range sc.Parts {
		if p.Asked == 0 && p.free() > 0 {
			p.Asked = now
		}
	}
}

// portion is what of a scope is a gateway's. What it has spent may be above what was set aside: a cost is a fact.
type portion struct {
	Limit    money.Micros `json:"l"`
	Granted  money.Micros `json:"g,omitempty"` // in all, spent or not
	Spent    money.Micros `json:"s,omitempty"`
	Held     money.Micros `json:"h,omitempty"`
	Wanted   money.Micros `json:"w,omitempty"`
	WantedAt int64        `json:"t,omitempty"`
	Asked    int64        `json:"k,omitempty"` // when others have first wanted what is free of it, since its gateway has last spoken
	Done     bool         `json:"d,omitempty"` // the last report was made
}

// out is what nobody else can have of it.
func (p *portion) out() money.Micros { return max(p.Granted, p.Spent) }

// free is what others might get back.
func (p *portion) free() money.Micros { return max(0, p.Granted-p.Spent-p.Held) }

// report takes over what a gateway says of its part, and takes back what it gives back.
func (p *portion) report(q *ScopeAsk) {
	if q.Limit >= 0 {
		p.Limit = q.Limit
	}
	p.Spent, p.Held, p.Done, p.Wanted, p.WantedAt, p.Asked = max(0, q.Spent), max(0, q.Held), q.Done, 0, 0, 0
	p.Granted = max(p.Granted-max(0, q.Back), p.Spent)
	if q.Done {
		p.Granted = p.Spent
	}
}

// wants is what the gateway has said a moment ago that it lacks.
func (p *portion) wants(now int64) money.Micros {
	if p.Wanted > 0 && now-p.WantedAt < wantedFor.Milliseconds() {
		return p.Wanted
	}
	return 0
}

// deaf tells whether it is no use to wait for what is free.
func (p *portion) deaf(now int64) bool {
	return p.Asked > 0 && now-p.Asked > deafAfter.Milliseconds()
}
