package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
)

// MemberSaid is what an order says of a member, as the Caddyfile writes it. What is not there is not said; an empty text, or "none",
// takes a bound away.
type MemberSaid struct {
	Name          string  `json:"name,omitempty"`
	DailyBudget   *string `json:"dailyBudget,omitempty"` // US dollars
	WeeklyBudget  *string `json:"weeklyBudget,omitempty"`
	MonthlyBudget *string `json:"monthlyBudget,omitempty"`
	Models        *Globs  `json:"models,omitempty"`
	Rate          *string `json:"rate,omitempty"` // such as "60 1m"
	Group         *string `json:"group,omitempty"`
	Disabled      *bool   `json:"disabled,omitempty"`

	Keep  string `json:"keep,omitempty"`  // of a rotation: how long the old keys are good
	USD   string `json:"usd,omitempty"`   // of a raise: by how much
	Until string `json:"until,omitempty"` // of a raise
	// Reference is what a raise is called, so that it can be ordered again by who has not heard the answer.
	Reference string `json:"reference,omitempty"`

	nulls []string // words that are there, and of which nothing is said
}

// Globs are globs of models: a list of them, or a text with spaces between them.
type Globs []string

// UnmarshalJSON reads either.
func (g *Globs) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*g = GlobsOf(text)
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(g))
}

// GlobsOf reads a text with spaces between globs.
func GlobsOf(text string) Globs {
	if text == none {
		return Globs{}
	}
	return strings.Fields(text)
}

// none takes a bound away.
const none = "none"

const maxSaid = 16 << 10

// termWords are what may be said of a member's bounds.
var termWords = []string{"dailyBudget", "weeklyBudget", "monthlyBudget", "models", "rate", "group", "disabled"}

// orderOf reads who gives an order, and what it says, which is of these words: in the body, or in the query. What an order does not take would be
// as if it had not been said, and so would what is said in both, of one of them.
func orderOf(w http.ResponseWriter, r *http.Request, takes ...string) (by orders.Operator, said MemberSaid, err error) {
	query := r.URL.Query()
	if err := checkTexts(query, "by"); err != nil {
		return by, said, err
	}
	if said.nulls, err = object(w, r, maxSaid, &said); err != nil && !errors.Is(err, io.EOF) {
		return by, said, bad(`expected an object such as {"name":"ada","dailyBudget":"5"}: %w`, err)
	}
	for word, to := range map[string]*string{"keep": &said.Keep, "usd": &said.USD, "until": &said.Until, "reference": &said.Reference} {
		switch asked := query.Get(word); {
		case asked != "" && *to != "":
			return by, said, bad("%s stands in the query and in the body: say it once", word)
		case asked != "":
			*to = asked
		}
	}
	if err := checkTexts(url.Values{"reference": {said.Reference}}, "reference"); err != nil {
		return by, said, err
	}
	for _, word := range said.words() {
		if !slices.Contains(takes, word) {
			return by, said, bad("%s is no word of this order, which takes %s", word, strings.Join(takes, ", "))
		}
	}
	return operator(r), said, nil
}

// membersPath is before a member's name, escaped, and what is ordered.
const membersPath = "/tokenbuddy/members/"

// memberOrders are the words that are ordered of a member, each by a POST, with what may be said of how.
var memberOrders = map[string][]string{"rotate": {"keep"}, "raise": {"usd", "until", "reference"}, "disable": {}, "enable": {}}

var notThere error = caddy.APIError{
	HTTPStatus: http.StatusNotFound, Err: errors.New("expected /tokenbuddy/members/<name>, or POST to its /rotate, /raise, /disable or /enable"),
}

// memberPath reads a member's name, and what is ordered; empty: nothing is. It refuses what another method is for: an order is a POST to
// its word, and the rest is about the member itself.
func memberPath(w http.ResponseWriter, r *http.Request) (name, word string, err error) {
	name, word, _ = strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), membersPath), "/")
	if name, err = url.PathUnescape(name); err != nil || name == "" {
		return "", "", notThere
	}
	switch _, ordered := memberOrders[word]; {
	case word != "" && !ordered:
		return "", "", notThere
	case ordered && r.Method != http.MethodPost:
		return "", "", notAllowed(w, http.MethodPost)
	case !ordered && r.Method == http.MethodPost:
		return "", "", notAllowed(w, "DELETE, GET, PATCH")
	}
	return name, word, nil
}

// words are those of which something is said.
func (s *MemberSaid) words() (all []string) {
	for _, w := range []struct {
		word string
		said bool
	}{
		{"name", s.Name != ""},
		{"dailyBudget", s.DailyBudget != nil},
		{"weeklyBudget", s.WeeklyBudget != nil},
		{"monthlyBudget", s.MonthlyBudget != nil},
		{"models", s.Models != nil},
		{"rate", s.Rate != nil},
		{"group", s.Group != nil},
		{"disabled", s.Disabled != nil},
		{"keep", s.Keep != ""},
		{"usd", s.USD != ""},
		{"until", s.Until != ""},
		{"reference", s.Reference != ""},
	} {
		if w.said {
			all = append(all, w.word)
		}
	}
	return all
}

// terms reads what is said of a member's bounds.
func (s *MemberSaid) terms() (t orders.MemberTerms, err error) {
	for _, b := range []struct {
		name string
		said *string
		to   **money.Micros
	}{{"dailyBudget", s.DailyBudget, &t.Daily}, {"weeklyBudget", s.WeeklyBudget, &t.Weekly}, {"monthlyBudget", s.MonthlyBudget, &t.Monthly}} {
		if b.said == nil {
			continue
		}
		usd := money.Micros(-1)
		if *b.said != "" && *b.said != none {
			if usd, err = money.Parse(*b.said); err != nil {
				return t, bad("%s: %w", b.name, err)
			}
			if usd < 0 {
				return t, bad("%s: %s is below zero", b.name, *b.said)
			}
		}
		*b.to = &usd
	}
	if s.Rate != nil {
		rate, err := parseRate(*s.Rate)
		if err != nil {
			return t, bad("rate: %w", err)
		}
		t.Rate = &rate
	}
	if s.Models != nil {
		t.Models = (*[]string)(s.Models)
	}
	if s.Group != nil {
		group := *s.Group
		if group == none {
			group = ""
		}
		t.Group = &group
	}
	t.Disabled = s.Disabled
	return t, nil
}

// The bounds of a rate, as the Caddyfile has them.
const (
	maxRate = 1_000_000
	maxPer  = 365 * 24 * time.Hour
)

var errRate = errors.New("expected a number of requests, of at most a million, and a time, such as 60 1m")

func parseRate(s string) (rate member.Rate, err error) {
	if s == "" || s == none {
		return rate, nil
	}
	words := strings.Fields(s)
	if len(words) != 2 {
		return rate, errRate
	}
	rate.Requests, err = strconv.Atoi(words[0])
	if err != nil || rate.Requests < 1 || rate.Requests > maxRate {
		return rate, errRate
	}
	rate.Per, err = caddy.ParseDuration(words[1])
	if err != nil || rate.Per < time.Millisecond || rate.Per > maxPer {
		return rate, errRate
	}
	return rate, nil
}

// keep is how long the old keys are good.
func (s *MemberSaid) keep() (time.Duration, error) {
	if s.Keep == "" {
		return orders.KeepKey, nil
	}
	keep, err := caddy.ParseDuration(s.Keep)
	if err != nil || keep < 0 || keep > maxPer {
		return 0, bad("keep: %q is not a time such as 24h, 7d or 0s", s.Keep)
	}
	return keep, nil
}

// Until reads when a raise ends: a time as RFC 3339 has it, one of today such as 18:00, a day or tomorrow, which are over when they begin, by the
// clock of the budgets' zone; zero, where nothing is said: when the day is over.
func Until(s string, l *ledger.Ledger) (time.Time, error) {
	begins, ends, zone := l.Today()
	switch {
	case s == "":
		return time.Time{}, nil
	case s == "tomorrow":
		return ends, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse("15:04", s); err == nil {
		year, month, day := begins.In(zone).Date()
		return time.Date(year, month, day, t.Hour(), t.Minute(), 0, 0, zone), nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return ledger.BeginOfDay(t.Year(), t.Month(), t.Day(), zone), nil
	}
	return time.Time{}, errors.New("expected a time such as 2026-01-31T12:00:00Z, or 18:00 of today, a day such as 2026-01-31, or tomorrow")
}
