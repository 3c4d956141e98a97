package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// pageSize is how many entries are asked for at once: some megabytes, which keep the gateway from nothing.
const pageSize = 5000

// Entries gives the entries that q chooses, page by page.
func (g *gateway) Entries(ctx context.Context, q ledger.Query, yield func(*ledger.Entry) error) error {
	return g.Lines(ctx, q, g.decoded(yield))
}

// decoded reads entries as this gateway gives them.
func (g *gateway) decoded(yield func(*ledger.Entry) error) func(raw []byte) error {
	return func(raw []byte) error {
		e := new(ledger.Entry)
		if err := json.Unmarshal(raw, e); err != nil {
			return fmt.Errorf("the gateway at %s gives what is no entry: %w", g.address, err)
		}
		return yield(e)
	}
}

// Lines is Entries for their JSON.
func (g *gateway) Lines(ctx context.Context, q ledger.Query, yield func(raw []byte) error) error {
	for {
		n, err := g.page(ctx, &q, yield)
		if err != nil || n < pageSize {
			return err
		}
	}
}

// page gives the entries after the cursor, how many there were, and puts the cursor behind them.
func (g *gateway) page(ctx context.Context, q *ledger.Query, yield func(raw []byte) error) (n int, err error) {
	query := entriesQuery(q)
	query.Set("limit", strconv.Itoa(pageSize))
	if q.Cursor != "" {
		query.Set("cursor", q.Cursor)
	}
	res, err := g.ask(ctx, http.MethodGet, "ledger/entries", query, admin.NDJSON)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	err = g.lines(res.Body, func(raw []byte) error {
		if err := yield(raw); err != nil {
			return err
		}
		n++
		q.Cursor = ledger.IDOf(raw)
		return nil
	})
	return n, err
}

// entriesQuery has the admin endpoint choose the entries that q does, from the first one on.
func entriesQuery(q *ledger.Query) url.Values {
	query := url.Values{}
	for name, value := range map[string]string{
		"from": timeText(q.From), "to": timeText(q.To), "member": q.Member, "model": q.Model, "seller": q.Seller,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// timeText is how a time is written for the admin endpoint.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// lines gives the lines of an answer one by one. One that breaks off is an error.
func (g *gateway) lines(body io.Reader, yield func(raw []byte) error) error {
	for lines := (lineReader{in: bufio.NewReaderSize(body, 64<<10)}); ; {
		raw, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the gateway at %s broke off, see its log: %w", g.address, err)
		}
		if err := yield(raw); err != nil {
			return err
		}
	}
}

// Balances gives the accounts, and after which entry they were so.
func (g *gateway) Balances(ctx context.Context) (b ledger.Balances, err error) {
	header, err := g.get(ctx, http.MethodGet, "ledger/accounts", nil, &b.Accounts)
	if err != nil {
		return b, err
	}
	b.Head = header.Get(admin.HeaderHead)
	b.Entries, err = strconv.ParseUint(header.Get(admin.HeaderEntries), 10, 64)
	if err != nil {
		return b, fmt.Errorf("the gateway at %s does not say after which entry its balances were so: is it of the version of this command?", g.address)
	}
	return b, nil
}

// Statement gives what came of the money in a period.
func (g *gateway) Statement(ctx context.Context, p ledger.Period, by string, progress ledger.Progress) (s ledger.Statement, err error) {
	query := url.Values{"by": {by}, "from": {timeText(p.From)}, "to": {timeText(p.To)}, "zone": {p.Zone.String()}}
	err = g.watched(ctx, http.MethodGet, "ledger/statement", query, progress, &s)
	return s, err
}

// VerifyWithProgress has the gateway verify its ledger.
func (g *gateway) VerifyWithProgress(ctx context.Context, progress ledger.Progress) (r ledger.Report, err error) {
	err = g.watched(ctx, http.MethodGet, "ledger/verify", nil, progress, &r)
	return r, err
}

// Backup gives the gateway's backup of its ledger. One that breaks off is an error.
func (g *gateway) Backup(ctx context.Context, w io.Writer) error {
	res, err := g.ask(ctx, http.MethodGet, "ledger/backup", nil, "*/*")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the backup of the gateway at %s broke off: %w", g.address, err)
	}
	return nil
}

// Archive has the gateway move the entries of months that end before a time into files.
func (g *gateway) Archive(ctx context.Context, before time.Time, to string, progress ledger.Progress) (done ledger.Archived, err error) {
	query := url.Values{"before": {timeText(before)}}
	if to != "" {
		query.Set("to", to)
	}
	return done, g.watched(ctx, http.MethodPost, "ledger/archive", query, progress, &done)
}

// Close has nothing to do: no connection is kept.
func (*gateway) Close() error { return nil }
