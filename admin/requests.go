package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
)

// Told is one request, as GET /tokenbuddy/requests/<id> gives it: what is remembered of it, and what the journal says.
type Told struct {
	recent.Row
	// Entries are those of the journal that are about it, corrections of its estimate included.
	Entries []*ledger.Entry `json:"entries"`
}

// defaultRequests is how many requests are listed where nobody says how many.
const defaultRequests = 100

// requestList answers with the last requests that the query chooses, the last to end first: ?member=, ?model=, ?seller=, ?outcome=,
// ?limit=. With ?id= it is one alone, as with /tokenbuddy/requests/<id>; its entries are looked for in the books of all gateways of a fleet with ?fleet=1.
func requestList(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	switch id, err := one(values, "member", "model", "seller", "outcome", "limit"); {
	case err != nil:
		return err
	case id != "":
		return oneRequest(m, w, r, id)
	case ofFleet(r):
		return bad("the last requests are remembered by each gateway alone: fleet is for one, with its id")
	}
	q := recent.Query{
		Member: values.Get("member"), Model: values.Get("model"), Seller: values.Get("seller"), Outcome: values.Get("outcome"),
	}
	if q.Outcome != "" && !slices.Contains(ends, q.Outcome) { // of which none would be found, as if none had ended so
		return bad("outcome is one of %s", strings.Join(ends, ", "))
	}
	var err error
	if q.Limit, err = limit(values, defaultRequests); err != nil {
		return err
	}
	return answer(w, http.StatusOK, m.Recent.Find(q))
}

// requestByID is requestList for the id in the path.
func requestByID(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	id := strings.TrimPrefix(r.URL.Path, requestsPath)
	if id == "" {
		return bad("the id is empty")
	}
	return oneRequest(m, w, r, id)
}

const requestsPath = "/tokenbuddy/requests/"

func oneRequest(m *market.Market, w http.ResponseWriter, r *http.Request, id string) error {
	var books EntriesOf = m.Ledger
	if ofFleet(r) {
		b, err := fleetBooks(m, w, r)
		if err != nil {
			return err
		}
		books = b
	} else {
		ofOne(m, w)
	}
	told, err := RequestOf(r.Context(), books, m.Recent, id)
	if errors.Is(err, errUnknownRequest) {
		if m.Fleet != nil && m.Fleet.Ships() && !ofFleet(r) {
			err = fmt.Errorf("%w If another gateway of the fleet has served it, it is in the books of all: ask with --fleet (fleet=1)", err)
		}
		err = caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	}
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, told)
}

var errUnknownRequest = errors.New("is it the X-Request-Id of its answer?")

// EntriesOf finds the entries about a request: a *ledger.Ledger is one.
type EntriesOf interface {
	EntriesOf(ctx context.Context, requestID string, from, to time.Time) ([]*ledger.Entry, error)
}

// RequestOf gives the last request of an id. One that is not remembered, or not any more, is looked for in the journal, which has those
// that a seller was asked for; remembered may be nil.
func RequestOf(ctx context.Context, l EntriesOf, remembered *recent.Memory, id string) (*Told, error) {
	var rows []recent.Row
	if remembered != nil {
		rows = remembered.Find(recent.Query{ID: id, Limit: 1})
	}
	if len(rows) == 0 {
		return requestInBooks(ctx, l, id)
	}
	told := &Told{Row: rows[0], Entries: []*ledger.Entry{}}
	if len(told.Attempts) == 0 {
		return told, nil
	}
	entries, err := l.EntriesOf(ctx, id, told.Time.Add(-time.Minute), time.Time{}) // clocks are set
	if err != nil {
		return nil, err
	}
	told.Entries = append(told.Entries, entries...)
	return told, nil
}

// requestInBooks is RequestOf for one of which only the journal can tell.
func requestInBooks(ctx context.Context, l EntriesOf, id string) (*Told, error) {
	entries, err := l.EntriesOf(ctx, id, time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("no request %q is remembered, and none is in the books: %w", id, errUnknownRequest)
	}
	return &Told{Row: recent.FromBooks(entries), Entries: entries}, nil
}
