package fleet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Buy is a purchase of a token, as far as limits know it.
type Buy struct {
	ID             string
	Seller, Origin string // the seller's id, and where it is
	Method         string // of payment
	Amount         money.Micros
	Day            string // on which it counts in the books, where they tell of it
}

// BuyLimits bound what may be spent on purchases by all gateways. Below zero is none.
type BuyLimits struct {
	Daily   money.Micros // of a UTC day
	Session money.Micros // since the session was begun
	Seller  money.Micros // at one seller, of a UTC day
	Method  money.Micros // by one payment method, of a UTC day
}

// each gives them by what they are called below.
func (l BuyLimits) each() [4]money.Micros {
	return [...]money.Micros{DailyLimit: l.Daily, SellerLimit: l.Seller, SessionLimit: l.Session, MethodLimit: l.Method}
}

// The limits that a purchase can pass.
const (
	DailyLimit = iota
	SellerLimit
	SessionLimit
	MethodLimit
)

// LimitError refuses a purchase that would pass a limit.
type LimitError struct {
	Limit int // DailyLimit, SellerLimit, SessionLimit or MethodLimit
	Most  money.Micros
	Spent money.Micros // by all gateways, before this purchase
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("fleet: a purchase would pass a limit of %s, of which %s is spent", e.Most, e.Spent)
}

// tab is the value of a fleet's purchases: what was spent on them, and is going to be. What is set aside counts as spent.
type tab struct {
	Session uint64              `json:"session"`          // the number of the session
	Closed  money.Micros        `json:"closed"`           // spent in it by purchases that have ended
	Days    map[string]*tabDay  `json:"days"`             // by UTC day
	From    string              `json:"from,omitempty"`   // of days before it not all is known any more
	Closes  uint64              `json:"closes,omitempty"` // how many purchases were counted for good
	Open    map[string]*claim   `json:"open"`             // by purchase id
	Ahead   map[string]*setAway `json:"ahead,omitempty"`
	Boots   map[string]string   `json:"boots"`            // the process that speaks for each gateway, and in which of the store's histories it has said what it has bought
	Line    string              `json:"line,omitempty"`   // the store's history in which it was changed last
	Turned  int64               `json:"turned,omitempty"` // when that became another one, in milliseconds of Unix time: the store may have forgotten what was bought

	gathers time.Duration // so long others still have the time to tell it again; zero: they have had it
}

// turnedFor is how long after the store may have forgotten what was bought nothing is: all gateways look at the tab in that time, and tell it again.
const turnedFor = 3 * tabEvery

// errGathers: nothing is bought until then.
var errGathers = fmt.Errorf("%w: it has failed over, or was restored, and not all gateways have said since what they have bought", ErrAway)

// tabDay is what was spent by purchases of one day that have ended.
type tabDay struct {
	Closed   money.Micros            `json:"closed"`
	Sellers  map[string]money.Micros `json:"sellers"` // anySeller too
	Methods  map[string]money.Micros `json:"methods"`
	Gateways map[string]money.Micros `json:"gateways"`
	Close    uint64                  `json:"close,omitempty"` // the number of the last one of the day
}

// claim is a purchase that has not ended. It is the word that its gateway alone pays it.
type claim struct {
	Gateway string       `json:"gateway"`
	Seller  string       `json:"seller"`
	Method  string       `json:"method"`
	Day     string       `json:"day"`
	Session uint64       `json:"session"`
	Amount  money.Micros `json:"amount"`
	Paying  bool         `json:"paying,omitempty"` // money may have left
}

// claimOf is what a gateway claims for a purchase; its session is the tab's, once it is taken.
func claimOf(gateway, day string, b Buy, paying bool) claim {
	return claim{Gateway: gateway, Seller: b.Seller, Method: b.Method, Day: day, Amount: b.Amount, Paying: paying}
}

// setAway is what a gateway may spend on purchases while the store is away.
type setAway struct {
	Boot    string       `json:"boot"` // the process, as in Boots: gateways of an older release write it anew as it is, and would not write what they don't know
	Day     string       `json:"day"`
	Session uint64       `json:"session"`
	Amount  money.Micros `json:"amount"`
	Told    []string     `json:"told,omitempty"` // purchases from it, of which it was told last
}

// otherDays is how many days are kept that are not about the store's day.
const otherDays = 2

func readTab(raw []byte, t *tab, now time.Time) error {
	if err := json.Unmarshal(raw, t); err != nil {
		return fmt.Errorf("fleet: what was spent on purchases can't be read: %w", err)
	}
	if t.Closes == 0 && t.From == "" && len(t.Days) >= 2 { // an older release kept two
		t.From = min(slices.Min(slices.Collect(maps.Keys(t.Days))), now.UTC().Format(time.DateOnly))
	}
	return nil
}

// changeTab makes a change of a tab's value a change of the tab. It is pure where f is.
func changeTab(at Moment, old []byte, session uint64, f func(t *tab) error) ([]byte, error) {
	t := new(tab)
	if old != nil {
		if err := readTab(old, t, at.Now); err != nil {
			return nil, err
		}
	}
	if t.Days == nil {
		t.Days = make(map[string]*tabDay)
	}
	if t.Open == nil {
		t.Open = make(map[string]*claim)
	}
	if t.Boots == nil {
		t.Boots = make(map[string]string)
	}
	if t.Ahead == nil {
		t.Ahead = make(map[string]*setAway)
	}
	if session > t.Session {
		t.Session, t.Closed = session, 0
	}
	if before := t.Line; before != at.Line {
		if t.Line = at.Line; before != "" {
			t.Turned = at.Now.UnixMilli()
		}
	}
	if left := time.UnixMilli(t.Turned).Add(turnedFor).Sub(at.Now); 0 < left && left <= turnedFor {
		t.gathers = left
	}
	if err := f(t); err != nil {
		return nil, err
	}
	t.prune(at.Now)
	return json.Marshal(t)
}

// prune keeps the day that it is by the store's clock, the ones beside it, and of others those that were changed last. So no clock that is wrong, or
// was, the store's or a gateway's, pushes out a day by which purchases go.
func (t *tab) prune(now time.Time) {
	day := func(n int) string { return now.UTC().AddDate(0, 0, n).Format(time.DateOnly) }
	var others []string
	for d := range t.Days {
		if d < day(-1) || d > day(1) {
			others = append(others, d)
		}
	}
	slices.SortFunc(others, func(a, b string) int {
		return cmp.Or(cmp.Compare(t.Days[b].Close, t.Days[a].Close), cmp.Compare(b, a))
	})
	for _, d := range others[min(len(others), otherDays):] {
		delete(t.Days, d)
		if at, err := time.Parse(time.DateOnly, d); err == nil && d < day(0) {
			t.From = max(t.From, at.AddDate(0, 0, 1).Format(time.DateOnly))
		}
	}
}

// anySeller stands for the seller, and the method, of what was spent and nobody knows where: it counts at all of them.
const anySeller = "*"

// sums are what counts against the limits of a purchase. What is set aside may be spent at any seller, and by any method.
func (t *tab) sums(day, seller, method string) (all [4]money.Micros) {
	all[SessionLimit] = t.Closed
	if d := t.Days[day]; d != nil {
		all[DailyLimit] = d.Closed
		all[SellerLimit], all[MethodLimit] = d.Sellers[seller].Add(d.Sellers[anySeller]), d.Methods[method].Add(d.Methods[anySeller])
	}
	for _, c := range t.Open {
		if c.Session == t.Session {
			all[SessionLimit] = all[SessionLimit].Add(c.Amount)
		}
		if c.Day != day {
			continue
		}
		all[DailyLimit] = all[DailyLimit].Add(c.Amount)
		if c.Seller == seller {
			all[SellerLimit] = all[SellerLimit].Add(c.Amount)
		}
		if c.Method == method {
			all[MethodLimit] = all[MethodLimit].Add(c.Amount)
		}
	}
	for _, a := range t.Ahead {
		if a.Session == t.Session {
			all[SessionLimit] = all[SessionLimit].Add(a.Amount)
		}
		if a.Day == day {
			for _, limit := range []int{DailyLimit, SellerLimit, MethodLimit} {
				all[limit] = all[limit].Add(a.Amount)
			}
		}
	}
	return all
}

// over tells whether a purchase from what is set aside may pass the limit of its seller, or of its method: nil, where all that is set aside could be spent there.
// It holds for as long as it is set aside, as nothing more is taken there by others then, whatever they set aside.
func (t *tab) over(day string, b Buy, l BuyLimits) error {
	if t == nil {
		return ErrAway
	}
	spent := t.sums(day, b.Seller, b.Method)
	switch {
	case l.Seller >= 0 && spent[SellerLimit] > l.Seller:
		return &LimitError{SellerLimit, l.Seller, spent[SellerLimit]}
	case l.Method >= 0 && spent[MethodLimit] > l.Method:
		return &LimitError{MethodLimit, l.Method, spent[MethodLimit]}
	}
	return nil
}

// take counts a purchase, or tells which limit it would pass. One that counts already does so once; before it is paid, on another day, or in
// another session, it counts anew, against the limits as they are then.
func (t *tab) take(id string, wants claim, l BuyLimits) error {
	wants.Session = t.Session
	c := t.Open[id]
	counts := c != nil && c.Day == wants.Day && c.Session == wants.Session && c.Amount == wants.Amount
	switch {
	case c != nil && c.Paying || counts && !wants.Paying:
		return nil
	case t.gathers > 0 && !counts:
		return errGathers
	}
	delete(t.Open, id)
	spent := t.sums(wants.Day, wants.Seller, wants.Method)
	if counts { // what was set aside since then keeps out of its way by itself: see over
		for _, a := range t.Ahead {
			if a.Day == wants.Day {
				spent[SellerLimit], spent[MethodLimit] = spent[SellerLimit].Add(-a.Amount), spent[MethodLimit].Add(-a.Amount)
			}
		}
	}
	for limit, most := range l.each() {
		if most >= 0 && spent[limit].Add(wants.Amount) > most {
			if c != nil {
				t.Open[id] = c // what is refused changes nothing
			}
			return &LimitError{limit, most, spent[limit]}
		}
	}
	t.Open[id] = &wants
	return nil
}

// end has a purchase count for good, or no more. One that does not count is no matter.
func (t *tab) end(id string, paid bool) {
	c := t.Open[id]
	if c == nil {
		return
	}
	delete(t.Open, id)
	if paid {
		t.close(c)
	}
}

func (t *tab) close(c *claim) {
	if c.Session == t.Session {
		t.Closed = t.Closed.Add(c.Amount)
	}
	d := t.Days[c.Day]
	if d == nil {
		d = &tabDay{Sellers: make(map[string]money.Micros), Methods: make(map[string]money.Micros), Gateways: make(map[string]money.Micros)}
		t.Days[c.Day] = d
	}
	t.Closes++
	d.Close = t.Closes
	d.Closed = d.Closed.Add(c.Amount)
	d.Sellers[c.Seller] = d.Sellers[c.Seller].Add(c.Amount)
	d.Methods[c.Method] = d.Methods[c.Method].Add(c.Amount)
	d.Gateways[c.Gateway] = d.Gateways[c.Gateway].Add(c.Amount)
}

// ended is what is paid of a gateway's purchases of a day that have ended, as far as the store knows.
func (t *tab) ended(gateway, day string) money.Micros {
	if d := t.Days[day]; d != nil {
		return d.Gateways[gateway]
	}
	return 0
}

// fromAhead counts purchases of a day from what was set aside for a gateway, each once, however often it is told of it.
func (t *tab) fromAhead(gateway string, used map[string]taken) (told []string) {
	for id, u := range used {
		told = append(told, id)
		if c := t.Open[id]; c != nil {
			c.Paying = c.Paying || u.paying
			continue
		}
		if t.wasTold(gateway, id) {
			continue
		}
		c := claimOf(gateway, u.day, u.Buy, u.paying)
		c.Session = t.Session
		t.Open[id] = &c
	}
	return told
}

// wasTold tells whether a purchase is one of those from what is set aside for a gateway that were told last: it counts, or has ended.
func (t *tab) wasTold(gateway, id string) bool {
	a := t.Ahead[gateway]
	return a != nil && slices.Contains(a.Told, id)
}

// setAside sets as much of what is left aside for a gateway as it wants, and gives how much that is.
func (t *tab) setAside(gateway string, a setAway, l BuyLimits) money.Micros {
	delete(t.Ahead, gateway)
	if t.gathers > 0 {
		a.Amount = 0
	}
	spent := t.sums(a.Day, "", "")
	if l.Daily >= 0 {
		a.Amount = min(a.Amount, l.Daily-spent[DailyLimit])
	}
	if l.Session >= 0 {
		a.Amount = min(a.Amount, l.Session-spent[SessionLimit])
	}
	a.Amount, a.Session = max(0, a.Amount), t.Session
	if a.Amount > 0 || len(a.Told) > 0 {
		t.Ahead[gateway] = &a
	}
	return a.Amount
}
