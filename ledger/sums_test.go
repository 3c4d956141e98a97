package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// sums are what a row of a summary and of a statement both have.
type sums struct{ requests, prompt, completion, cacheRead, expense int64 }

// TestSummaryIsStatement: whatever was done when, a summary of any period, which is read from the sums of days, has of each member, model, seller
// and project what a statement has, which is read from the entries.
func TestSummaryIsStatement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := time.Date(2026, 3, 30, 20, 0, 0, 0, time.UTC)
		now := begin
		w := &world{now: func() time.Time { return now }}
		w.open(t)
		t.Cleanup(func() { w.l.Close() })
		moment := func(label string) time.Time {
			hours := rapid.IntRange(-1, 200).Draw(t, label)
			if hours < 0 {
				return time.Time{}
			}
			return begin.Add(time.Duration(hours) * 30 * time.Minute)
		}
		t.Repeat(map[string]func(*rapid.T){
			"purchase": w.purchase,
			"hold": func(t *rapid.T) {
				before := len(w.holds)
				if w.hold(t); len(w.holds) > before {
					h := &w.holds[before]
					h.Member, h.Project = rapid.SampledFrom([]string{"ann", "b:o,b"}).Draw(t, "member"), rapid.SampledFrom([]string{"", "site"}).Draw(t, "project")
				}
			},
			"settle": w.settle, "settle more": w.settle, "drop": w.drop,
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "minutes")) * time.Minute)
			},
			"": func(t *rapid.T) {
				all, err := w.l.Summary(context.Background(), time.Time{}, time.Time{}, "member")
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range all {
					if spent, err := w.l.SpentInAll(context.Background(), r.Key); err != nil || spent != r.ExpenseMicros+r.WasteMicros {
						t.Fatalf("%s has spent %d in all, %v, and a summary has %+v", r.Key, spent, err, r)
					}
				}
				from, to := moment("from"), moment("to")
				if !to.IsZero() && to.Before(from) {
					from, to = to, from
				}
				by := rapid.SampledFrom([]string{"member", "member,project", "seller,model", "day", "project,day,member"}).Draw(t, "by")
				got, want := make(map[string]sums), make(map[string]sums)
				rows, err := w.l.Summary(context.Background(), from, to, by)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range rows {
					if s := (sums{r.Requests, r.PromptTokens, r.CompletionTokens, r.CacheReadTokens, int64(r.ExpenseMicros)}); s != (sums{}) {
						got[fmt.Sprintf("%q %q", r.Key, r.Keys)] = s
					}
				}
				s, err := w.l.Statement(context.Background(), ledger.Period{From: from, To: to}, by, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range s.Rows {
					if s := (sums{r.Requests, r.PromptTokens, r.CompletionTokens, r.CacheReadTokens, int64(r.ExpenseMicros)}); s != (sums{}) {
						want[fmt.Sprintf("%q %q", r.Key, r.Keys)] = s
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("by %s from %s to %s a summary has\n%v\nand a statement\n%v", by, from, to, got, want)
				}
			},
		})
	})
}
