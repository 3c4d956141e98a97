package admin

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/uuid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// entries streams the ledger's entries as NDJSON, oldest first. The id of the last one is the cursor for those after it.
func entries(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	from, to, err := period(values)
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
	if s := values.Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 1 {
			return bad("limit is a whole number above zero")
		}
	}
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	begun := false
	err = m.Ledger.Entries(r.Context(), q, func(e *ledger.Entry) error {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		return encoder.Encode(e)
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

// summary gives what was used and spent, by member, model, seller or day.
func summary(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	from, to, err := period(values)
	if err != nil {
		return err
	}
	by := values.Get("by")
	switch by {
	case "":
		by = "member"
	case "member", "model", "seller", "day":
	default:
		return bad("by is one of member, model, seller, day")
	}
	rows, err := m.Ledger.Summary(r.Context(), from, to, by)
	if err != nil {
		return err
	}
	if rows == nil {
		rows = []ledger.Row{}
	}
	return answer(w, http.StatusOK, rows)
}

// accounts gives the balance of every account.
func accounts(m *market.Market, w http.ResponseWriter, _ *http.Request) error {
	rows, err := m.Ledger.Accounts()
	if err != nil {
		return err
	}
	if rows == nil {
		rows = []ledger.Account{}
	}
	return answer(w, http.StatusOK, rows)
}

// verify reads the whole ledger and says whether it holds: 200 when it does, 409 when it does not.
func verify(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	report, err := m.Ledger.Verify(r.Context())
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !report.OK {
		status = http.StatusConflict
	}
	return answer(w, status, report)
}

// period reads from and to: RFC 3339 times, or days, which stand for their beginning in UTC.
func period(values url.Values) (from, to time.Time, err error) {
	for name, t := range map[string]*time.Time{"from": &from, "to": &to} {
		s := values.Get(name)
		if s == "" {
			continue
		}
		if *t, err = time.Parse(time.RFC3339, s); err != nil {
			*t, err = time.Parse(time.DateOnly, s)
		}
		if err != nil {
			return from, to, bad("%s is a time such as 2026-01-31T12:00:00Z or a day such as 2026-01-31", name)
		}
	}
	return from, to, nil
}

func bad(format string, args ...any) error {
	return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf(format, args...)}
}
