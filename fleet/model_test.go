package fleet

import (
	"fmt"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// process is one run of a gateway. Its journal is that of the gateway: what is durable, and what would be spent if it ended now.
type process struct {
	gateway, boot string
	epoch, op     uint64
	parts         map[string]*piece
	holds         []*hold
	pending       *Ask
	spoken        int // the line in which it has spoken last
	twin          *process
}

// piece is a process's part of a scope.
type piece struct {
	open, closed                  bool
	left                          bool // the store has it of an earlier process
	granted, spent, held, durable money.Micros
	wants                         money.Micros
	recovered                     money.Micros // what would be spent by the books if the process ended now
}

type hold struct {
	scopes [periods]string
	amount money.Micros
	cost   money.Micros
	ended  bool // settled, and not durable
}

// days are those of the model: the second ends a week and a month.
var days = []Periods{{"2026-02-27", "2026-02-23", "2026-02"}, {"2026-02-28", "2026-02-23", "2026-02"}, {"2026-03-02", "2026-03-02", "2026-03"}}

func scopesOf(p Periods) (s [periods]string) {
	for i := range p {
		s[i] = ScopeOf(i, p[i])
	}
	return s
}

func (w *world) start(gateway string, epoch uint64, before *process) *process {
	w.n++
	p := &process{gateway: gateway, boot: fmt.Sprint("b", w.n), epoch: epoch, parts: map[string]*piece{}}
	if before != nil {
		for s, q := range before.parts {
			p.parts[s] = &piece{spent: q.recovered, durable: q.recovered, recovered: q.recovered}
		}
	}
	w.live = append(w.live, p)
	return p
}

func (p *process) part(scope string) *piece {
	q := p.parts[scope]
	if q == nil {
		q = new(piece)
		p.parts[scope] = q
	}
	return q
}

func (q *piece) free() money.Micros { return q.granted - max(0, q.spent) - q.held }

// safe is what may be given back: it would not be spent either if the process ended now.
func (q *piece) safe() money.Micros { return max(0, min(q.free(), q.granted-max(0, q.recovered))) }

func (w *world) hold(p *process) error {
	day := w.day
	if w.draw(8) == 0 {
		day = w.draw(len(days)) // clocks are wrong
	}
	scopes, amount := scopesOf(days[day]), money.Micros(1+w.draw(12))
	for _, s := range scopes {
		if q := p.part(s); !q.open || q.free() < amount {
			q.wants = amount
			return nil
		}
	}
	w.flush(p) // a hold is durable before it counts, and what was booked before it is too
	p.holds = append(p.holds, &hold{scopes: scopes, amount: amount})
	for _, s := range scopes {
		q := p.part(s)
		q.held += amount
		q.recovered += amount
		w.held[s] += amount
		if q.spent+q.held > q.granted && q.spent >= 0 {
			return fmt.Errorf("I2: %s has %d spent and %d held of %d granted in %s", p.gateway, q.spent, q.held, q.granted, s)
		}
	}
	return nil
}

// settle books a cost, which is not durable yet.
func (w *world) settle(p *process) {
	var open []*hold
	for _, h := range p.holds {
		if !h.ended {
			open = append(open, h)
		}
	}
	if len(open) == 0 {
		return
	}
	h := open[w.draw(len(open))]
	h.ended, h.cost = true, money.Micros(w.draw(int(h.amount)+1))
	if w.draw(6) == 0 && !w.exact {
		h.cost = h.amount + money.Micros(w.draw(5))
	}
	for _, s := range h.scopes {
		q := p.part(s)
		q.held -= h.amount
		q.spent += h.cost
		q.recovered += max(0, h.cost-h.amount) // the worse of what the books may say
		w.held[s] -= h.amount
		w.booked[s] += h.cost
		w.above[s] += max(0, h.cost-h.amount)
	}
}

// flush makes durable what was booked.
func (w *world) flush(p *process) {
	p.holds = slices.DeleteFunc(p.holds, func(h *hold) bool {
		if h.ended {
			for _, s := range h.scopes {
				p.part(s).recovered -= max(h.amount, h.cost) - h.cost
			}
		}
		return h.ended
	})
	for _, q := range p.parts {
		q.durable = q.spent
	}
}

// correct takes back a part of what was booked, durably, or more than that.
func (w *world) correct(p *process) {
	if p.twin != nil || w.exact {
		return
	}
	w.flush(p)
	amount := money.Micros(w.draw(10))
	for _, s := range scopesOf(days[w.day]) {
		q := p.part(s)
		q.spent, q.durable, q.recovered = q.spent-amount, q.durable-amount, q.recovered-amount
		w.booked[s] -= amount
	}
}

// kill ends a process as kill -9 does, and starts its gateway again: on its books, with what it held booked in full. Its ghost stays, and
// sometimes the directory is copied, and started twice.
func (w *world) kill(p *process) {
	if p.twin != nil {
		return
	}
	w.recover(p)
	w.live = slices.DeleteFunc(w.live, func(q *process) bool { return q == p })
	w.ghosts = append(w.ghosts, p)
	next := w.start(p.gateway, p.epoch+1, p)
	if w.draw(6) == 0 {
		other := w.start(p.gateway, p.epoch+1, p)
		next.twin, other.twin = other, next
	}
}

// recover books in full what the process held, and what was settled and not durable.
func (w *world) recover(p *process) {
	for _, h := range p.holds {
		for _, s := range h.scopes {
			switch {
			case !h.ended:
				w.held[s] -= h.amount
				w.booked[s] += h.amount
			case h.cost < h.amount: // it is lost that it was cheaper
				w.booked[s] += h.amount - h.cost
			}
		}
	}
	for _, q := range p.parts {
		q.spent, q.durable, q.held = q.recovered, q.recovered, 0
	}
	p.holds = nil
}

// form makes an ask, and what it gives back is not spendable any more.
func (w *world) form(p *process, need money.Micros) *Ask {
	if w.draw(3) > 0 {
		w.flush(p)
	}
	p.op++
	a := &Ask{Gateway: p.gateway, Boot: p.boot, Epoch: p.epoch, Op: p.op}
	current := scopesOf(days[w.day])
	names := slices.Clone(current[:])
	for s, q := range p.parts {
		if !slices.Contains(names, s) && (q.open || q.left || q.spent != 0 && !q.closed) {
			names = append(names, s)
		}
	}
	slices.Sort(names)
	for _, s := range names {
		kind, _ := ScopeParts(s)
		q := p.part(s)
		ask := ScopeAsk{Scope: s, Limit: w.limits[kind], HaveGranted: q.granted, Spent: max(0, q.durable), Held: q.held}
		if !q.open {
			ask.HaveGranted = -1
		}
		if i := slices.Index(current[:], s); i >= 0 {
			ask.Need = max(need, q.wants)
			ask.Must, ask.Like, q.wants = ask.Need+money.Micros(w.draw(10)), money.Micros(w.draw(60)), 0
		} else if q.held == 0 && w.draw(2) == 0 && q.recovered == q.spent && q.durable == q.spent {
			ask.Done = true
		}
		if w.draw(3) == 0 || ask.Done {
			if ask.Back = q.safe(); w.mutant.hasty {
				ask.Back = max(0, q.free())
			}
			q.granted -= ask.Back
		}
		a.Scopes = append(a.Scopes, ask)
	}
	return a
}
