package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Why a purchase is not begun now.
var (
	// ErrElsewhere: another gateway buys there just now.
	ErrElsewhere = errors.New("fleet: another gateway buys there just now")
	// ErrUseless: the seller's last two tokens, of whichever gateways, served less than a tenth of what was paid for them.
	ErrUseless = errors.New("fleet: the last two tokens of the seller served next to nothing")
)

// OftenError says that a seller had its purchases of this minute, and when it may have the next one.
type OftenError struct{ Next time.Time }

func (e *OftenError) Error() string { return "fleet: the seller had its purchases of this minute" }

// Life is what a token that has ended has brought.
type Life struct {
	ID     string // of its purchase
	Paid   money.Micros
	Booked money.Micros // of that has served
}

func (l Life) bad() bool { return l.Booked < l.Paid/10 }

// dealt is the value of a seller's key: what gateways tell each other before they give it money. It spares money, and no limit hangs on it.
type dealt struct {
	Started  []int64          `json:"started,omitempty"`  // the last purchases, the newest first, by the store's clock
	Buyers   map[string]buyer `json:"buyers,omitempty"`   // who buys, by origin
	Last     []Life           `json:"last,omitempty"`     // the last two tokens that have ended, the newest first
	Forgiven uint64           `json:"forgiven,omitempty"` // how often it was
}

type buyer struct {
	Gateway string `json:"gateway"`
	ID      string `json:"id"`
	Until   int64  `json:"until"`          // by the store's clock
	Over    bool   `json:"over,omitempty"` // it has bought: others are to look at what there is before they buy
}

const (
	buyFor     = 15 * time.Second // how long others wait for one that buys
	perMinute  = 3                // purchases of a seller
	lastTokens = 2                // that have to serve
)

const dealtKeys = "buy/"

func dealtKey(seller string) string { return dealtKeys + escape(seller) }

func changeDealt(old []byte, f func(d *dealt) error) ([]byte, error) {
	d := new(dealt)
	if old != nil {
		if err := json.Unmarshal(old, d); err != nil {
			return nil, fmt.Errorf("fleet: what is known of a seller can't be read: %w", err)
		}
	}
	if d.Buyers == nil {
		d.Buyers = make(map[string]buyer)
	}
	if err := f(d); err != nil {
		return nil, err
	}
	return json.Marshal(d)
}

// putBack forgets what has been when the store's clock was ahead: nobody knows how long ago that is, and others would wait until then.
func (d *dealt) putBack(now time.Time) {
	d.Started = slices.DeleteFunc(d.Started, func(at int64) bool { return at > now.Add(buyFor).UnixNano() })
	maps.DeleteFunc(d.Buyers, func(_ string, b buyer) bool { return b.Until > now.Add(2*buyFor).UnixNano() })
}

// begin counts a purchase that is begun, once, or tells why it is not to be. A gateway that lends is told of each purchase that another one
// has just ended there, and which it has not heard of, as what it looked for before may be there now.
func (d *dealt) begin(gateway string, b Buy, now time.Time, lends bool, heard string) (over string, err error) {
	d.putBack(now)
	who := d.Buyers[b.Origin]
	mine := buyer{Gateway: gateway, ID: b.ID, Until: now.Add(buyFor).UnixNano()}
	theirs := who.Gateway != gateway && who.Until > now.UnixNano()
	switch {
	case who.ID == b.ID:
		d.Buyers[b.Origin] = mine
		return "", nil
	case theirs && !who.Over:
		return "", ErrElsewhere
	case theirs && lends && who.ID != heard:
		return who.ID, ErrElsewhere
	case len(d.Last) == lastTokens && d.Last[0].bad() && d.Last[1].bad():
		return "", ErrUseless
	}
	if len(d.Started) >= perMinute {
		if next := time.Unix(0, d.Started[perMinute-1]).Add(time.Minute); next.After(now) {
			return "", &OftenError{next}
		}
	}
	d.Started = append([]int64{now.UnixNano()}, d.Started...)
	d.Started = d.Started[:min(len(d.Started), perMinute)]
	d.Buyers[b.Origin] = mine
	for origin, o := range d.Buyers {
		if o.Until <= now.UnixNano() {
			delete(d.Buyers, origin)
		}
	}
	return "", nil
}

// tell puts a token's life among the last two, or says how it stands now.
func (d *dealt) tell(l Life) {
	for i := range d.Last {
		if d.Last[i].ID == l.ID {
			d.Last[i].Booked = max(d.Last[i].Booked, l.Booked)
			return
		}
	}
	d.Last = append([]Life{l}, d.Last...)
	d.Last = d.Last[:min(len(d.Last), lastTokens)]
}

// Begin counts a purchase that is going to be begun: three a minute at a seller, and one after the other at an origin. The error is
// ErrElsewhere, ErrUseless, an *OftenError or ErrAway. It may be called again for the same one. Where tokens are shared, ErrElsewhere is also
// said once of what another gateway has just bought: it may have come after this one has looked for that.
func (p *Purchases) Begin(ctx context.Context, b Buy) error {
	if p.fromAhead(b.Amount) {
		return nil
	}
	p.mu.Lock()
	heard := p.bought[b.Origin]
	p.mu.Unlock()
	var over string
	err := p.make(ctx, dealtKey(b.Seller), func(at Moment, old []byte) ([]byte, error) {
		return changeDealt(old, func(d *dealt) (err error) {
			over, err = d.begin(p.o.Gateway, b, at.Now, p.o.Lends, heard)
			return err
		})
	})
	if over != "" {
		p.mu.Lock()
		p.bought[b.Origin] = over
		p.mu.Unlock()
	}
	away := errors.Is(err, ErrAway)
	p.note(away && ctx.Err() == nil, err)
	if away && p.fromAhead(b.Amount) {
		return nil
	}
	return err
}

// Elsewhere tells whether another gateway is buying at an origin of a seller, as it was a moment ago.
func (p *Purchases) Elsewhere(ctx context.Context, seller, origin string) (buys bool) {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	_ = p.o.Store.Load(ctx, func(_ string, value []byte) error {
		d := new(dealt)
		if err := json.Unmarshal(value, d); err != nil {
			return err
		}
		who := d.Buyers[origin]
		buys = who.ID != "" && who.Gateway != p.o.Gateway && !who.Over && who.Until > time.Now().UnixNano()
		return nil
	}, dealtKey(seller))
	return buys
}

// fromAhead tells whether a purchase would be one from what is set aside.
func (p *Purchases) fromAhead(amount money.Micros) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away && p.ahead >= amount
}

// word is what a gateway has to say of a seller.
type word struct {
	seller, origin string
	over           string // the purchase that has ended
	lends          bool   // others can have of what it has bought
	life           *Life
	forgiven       bool
}

// Judge tells the others what a seller's token has brought.
func (p *Purchases) Judge(seller string, l Life) { p.tell(word{seller: seller, life: &l}) }

// Forgive lets a seller have money again whose last tokens have served next to nothing.
func (p *Purchases) Forgive(seller string) { p.tell(word{seller: seller, forgiven: true}) }

func (p *Purchases) tell(w word) {
	p.mu.Lock()
	p.words = append(p.words, w)
	p.mu.Unlock()
	p.soon()
}

// tellAll has the store know what is to be said. What it does not take is said again.
func (p *Purchases) tellAll(ctx context.Context) {
	p.mu.Lock()
	words := p.words
	p.words = nil
	p.mu.Unlock()
	for i, w := range words {
		err := p.make(ctx, dealtKey(w.seller), func(at Moment, old []byte) ([]byte, error) {
			return changeDealt(old, func(d *dealt) error {
				switch {
				case w.forgiven:
					d.Last = nil
					d.Forgiven++
				case w.life != nil:
					d.tell(*w.life)
				case d.Buyers[w.origin].ID != w.over:
				case w.lends:
					d.Buyers[w.origin] = buyer{Gateway: p.o.Gateway, ID: w.over, Until: at.Now.Add(buyFor).UnixNano(), Over: true}
				default:
					delete(d.Buyers, w.origin)
				}
				return nil
			})
		})
		if err != nil {
			p.mu.Lock()
			p.words = append(words[i:len(words):len(words)], p.words...)
			p.mu.Unlock()
			return
		}
	}
}

// hear has this gateway know of sellers that were forgiven by way of another one. What was before it has looked for the first time is
// none of its matter.
func (p *Purchases) hear(ctx context.Context) error {
	now := make(map[string]uint64)
	if err := p.o.Store.Load(ctx, func(key string, value []byte) error {
		d := new(dealt)
		if err := json.Unmarshal(value, d); err != nil {
			return err
		}
		now[unescaper.Replace(strings.TrimPrefix(key, dealtKeys))] = d.Forgiven
		return nil
	}, dealtKeys); err != nil {
		return err
	}
	for seller, n := range now {
		if p.forgiven != nil && n > p.forgiven[seller] && p.o.Forgiven != nil {
			p.o.Forgiven(seller)
		}
	}
	p.forgiven = now
	return nil
}
