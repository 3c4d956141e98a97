package admin

import (
	"bufio"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// entries streams the ledger's entries as NDJSON, oldest first. The id of the last one is the cursor for those after it. With ?fleet=1
// they are those of all gateways, as far as they were shipped.
func entries(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	from, to, _, err := period(m, values)
	if err != nil {
		return err
	}
	q := ledger.Query{
		From: from, To: to, Cursor: values.Get("cursor"),
		Member: values.Get("member"), Model: values.Get("model"), Seller: values.Get("seller"),
	}
	if _, err := uuid.Parse(q.Cursor); q.Cursor != "" && err != nil {
		return bad("cursor is the id of an entry")
	}
	if q.Limit, err = limit(values, 0); err != nil { // 0: all
		return err
	}
	lines := m.Ledger.Lines
	if ofFleet(r) {
		b, err := fleetBooks(m, w, r)
		if err != nil {
			return err
		}
		lines = b.Lines
	} else {
		ofOne(m, w)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	begun := false
	err = lines(r.Context(), q, func(raw []byte) error {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		_, _ = out.Write(raw) // it keeps its first error
		return out.WriteByte('\n')
	})
	switch {
	case err != nil && begun:
		panic(http.ErrAbortHandler) // a clean end would pass for the whole list
	case err != nil:
		return err
	case !begun:
		w.Header().Set("Content-Type", "application/x-ndjson")
	}
	return out.Flush()
}

// summary gives what was used and spent, by member, model, seller, group, project or day.
func summary(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	from, to, _, err := period(m, values)
	if err != nil {
		return err
	}
	by, err := summaryKey(values)
	if err != nil {
		return err
	}
	rows, err := m.Ledger.Summary(r.Context(), from, to, by)
	if err != nil {
		return err
	}
	if rows == nil {
		rows = []ledger.Row{}
	}
	for i := range rows {
		rows[i].WasteMicros = 0 // no member of these rows, which programs read strictly; statements have it
	}
	return answer(w, http.StatusOK, rows)
}

// statement gives what came of the money in a period, by member, model, seller, group, project or day; with ?fleet=1 at all gateways, as
// far as their entries were shipped.
func statement(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	from, to, zone, err := period(m, values)
	if err != nil {
		return err
	}
	by, err := summaryKey(values)
	if err != nil {
		return err
	}
	during := ledger.Period{From: from, To: to, Zone: zone}
	if ofFleet(r) {
		b, err := fleetBooks(m, w, r)
		if err != nil {
			return err
		}
		return read(w, r, func(progress ledger.Progress) (int, any, error) {
			s, err := b.Statement(r.Context(), during, by, b.Total(), progress)
			return http.StatusOK, FleetStatement{s, b.Gateways}, err
		})
	}
	ofOne(m, w)
	return read(w, r, func(progress ledger.Progress) (int, any, error) {
		s, err := m.Ledger.Statement(r.Context(), during, by, progress)
		return http.StatusOK, s, err
	})
}

// accounts gives the balance of every account. The headers say after which entry they were so: a client that reads the entries
// until then has what they are the sums of.
func accounts(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	b, err := m.Ledger.Balances(r.Context())
	if err != nil {
		return err
	}
	if b.Accounts == nil {
		b.Accounts = []ledger.Account{}
	}
	w.Header().Set(HeaderEntries, strconv.FormatUint(b.Entries, 10))
	w.Header().Set(HeaderHead, b.Head)
	return answer(w, http.StatusOK, b.Accounts)
}

// The headers of GET /tokenbuddy/ledger/accounts: how many entries there were, and the hash of the last of them.
const (
	HeaderEntries = "X-TokenBuddy-Ledger-Entries"
	HeaderHead    = "X-TokenBuddy-Ledger-Head"
)

// verify reads the whole ledger and says whether it holds: 200 when it does, 409 when it does not. With ?fleet=1 it is the entries of all
// gateways that are read, as far as they were shipped.
func verify(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	if ofFleet(r) {
		b, err := fleetBooks(m, w, r)
		if err != nil {
			return err
		}
		return read(w, r, func(progress ledger.Progress) (int, any, error) {
			report, err := b.Verify(r.Context(), progress)
			return verified(report.OK), report, err
		})
	}
	ofOne(m, w)
	return read(w, r, func(progress ledger.Progress) (int, any, error) {
		report, err := m.Ledger.VerifyWithProgress(r.Context(), progress)
		return verified(report.OK), report, err
	})
}

// verified is the status of an answer that says whether the books hold.
func verified(ok bool) int {
	if ok {
		return http.StatusOK
	}
	return http.StatusConflict
}
