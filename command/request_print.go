package command

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
)

func printRequests(w io.Writer, rows []recent.Row) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "No such request is remembered.")
		return
	}
	t := &table{words: []int{0, 1, 2, 3, 5, 6, 9}}
	t.add("ended (UTC)", "id", "member", "model", "ms", "outcome", "seller", "attempts", "billed", "why")
	t.add(rule...)
	for _, r := range rows {
		outcome := r.Outcome
		if r.HTTPStatus != 0 && r.HTTPStatus != http.StatusOK {
			outcome += " " + strconv.Itoa(r.HTTPStatus)
		}
		model := r.Model
		if model == "" {
			model = r.RequestedModel
		}
		t.add(r.Ended.UTC().Format(time.DateTime), plain.Name(r.RequestID), plain.Name(r.Member), plain.Name(model), humanize.Comma(r.DurationMs), outcome,
			plain.Name(r.Seller), strconv.Itoa(len(r.Attempts)), r.BilledMicros.Fixed(), refusalOf(&r))
	}
	t.print(w)
}

// refusalOf says why a request was refused, in short; empty where it was not.
func refusalOf(r *recent.Row) string {
	if r.Code == "" {
		return ""
	}
	return plain.Name(r.Code)
}

func printRequest(w io.Writer, told *admin.Told) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-12s %s\n", name, value)
		}
	}
	some := func(s string) string {
		if s == "" {
			return ""
		}
		return plain.Whole(s)
	}
	line("request", plain.Whole(told.RequestID))
	line("came", told.Time.UTC().Format("2006-01-02 15:04:05.000 UTC"))
	line("member", member(&told.Row))
	line("project", some(told.Project))
	line("asked for", askedFor(&told.Row))
	outcome := told.Outcome
	if told.HTTPStatus != 0 {
		outcome += fmt.Sprintf(", status %d", told.HTTPStatus)
	}
	line("outcome", outcome)
	if told.Code != "" {
		line("refused", plain.Name(told.Code)+": "+plain.Words(told.Reason))
	}
	line("took", took(&told.Row))
	line("seller", some(told.Seller))
	if b := told.Booking; b != nil && b.EntryID != "" {
		cost := fmt.Sprintf("%s US dollars, by %s; the member bears %s", b.BilledMicros.Fixed(), plain.Name(b.BilledSource), b.ExpenseMicros.Fixed())
		if b.WastedMicros > 0 {
			cost += ", failed attempts have wasted " + b.WastedMicros.Fixed()
		}
		line("cost", cost)
		line("tokens", fmt.Sprintf("%s prompt, of them %s cached; %s completion",
			humanize.Comma(b.PromptTokens), humanize.Comma(b.CacheReadTokens), humanize.Comma(b.CompletionTokens)))
		line("flags", strings.Join(b.Flags, ", "))
		line("settlement", some(b.SettlementID))
		line("purchase", some(b.PurchaseID))
	}
	printAttempts(w, told.Attempts)
	printEntriesOf(w, told.Entries)
}

func member(r *recent.Row) string {
	if r.Member == "" {
		return "not known"
	}
	text := plain.Name(r.Member)
	if r.Group != "" {
		text += ", of group " + plain.Name(r.Group)
	}
	return text
}

func askedFor(r *recent.Row) string {
	if r.RequestedModel == "" {
		return plain.Name(r.Path)
	}
	text := plain.Name(r.RequestedModel)
	if r.Model != "" && r.Model != r.RequestedModel {
		text += ", which is " + plain.Name(r.Model)
	}
	text += ", " + strings.ReplaceAll(r.Protocol, "_", " ")
	if r.Stream {
		text += ", streamed"
	}
	return text
}

func took(r *recent.Row) string {
	text := milliseconds(r.DurationMs)
	if r.TimeToFirstByteMs > 0 {
		text += ", to the first byte " + milliseconds(r.TimeToFirstByteMs)
	}
	return text
}

func milliseconds(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }

func printAttempts(w io.Writer, attempts []recent.Attempt) {
	if len(attempts) == 0 {
		return
	}
	fmt.Fprintln(w, "\nAttempts, in milliseconds since it came:")
	t := &table{words: []int{1, 2, 3, 8, 9}}
	t.add("", "seller", "outcome", "then", "status", "begun", "sent", "known", "token", "why")
	t.add(rule...)
	for _, a := range attempts {
		status, sent := "", ""
		if a.Status != 0 {
			status = strconv.Itoa(a.Status)
		}
		if a.SentMs != 0 {
			sent = strconv.FormatInt(a.SentMs, 10)
		}
		token, why := "", ""
		if a.TokenID != "" {
			token = plain.Name(a.TokenID)
		}
		if a.Why != "" {
			why = plain.Words(a.Why)
		}
		t.add(strconv.Itoa(a.Number), plain.Name(a.Seller), a.Kind, a.Then, status, strconv.FormatInt(a.BeginMs, 10), sent, strconv.FormatInt(a.KnownMs, 10), token, why)
	}
	t.print(w)
}

// printEntriesOf lists the entries of the journal that are about a request.
func printEntriesOf(w io.Writer, entries []*ledger.Entry) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintln(w, "\nThe journal:")
	for _, e := range entries {
		text := fmt.Sprintf("  %s UTC  %s  %-10s %s", e.Time.UTC().Format(time.DateTime), e.ID, e.Kind, moved(e))
		if e.Note != "" {
			text += "  " + plain.Words(e.Note)
		}
		fmt.Fprintln(w, strings.TrimRight(text, " "))
	}
}

// moved says how much an entry has moved to which accounts.
func moved(e *ledger.Entry) string {
	var words []string
	for _, post := range e.Postings {
		if post.AmountMicros > 0 {
			words = append(words, post.AmountMicros.Fixed()+" to "+plain.Name(post.Account))
		}
	}
	return strings.Join(words, ", ")
}
