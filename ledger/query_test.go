package ledger_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

func moment(s string) time.Time {
	m, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return m
}

func at(s string) func() time.Time {
	m := moment(s)
	return func() time.Time { return m }
}

// threeDays books an inference each eight hours: member, model and seller change from one to the next.
func threeDays(t *testing.T) *ledger.Ledger {
	now := moment("2026-03-01T00:00:00Z")
	l := open(t, ledger.Options{InMemory: true, Now: func() time.Time { return now }})
	for i := range 9 {
		in := ledger.Inference{
			Request: ledger.Request{
				RequestID: fmt.Sprint(i), Member: []string{"ann", "bob"}[i%2], Model: []string{"m1", "m2", "m3"}[i%3], Shape: billing.Shape{BodyBytes: 4, PromptWhole: true},
			},
			Seller: []string{"acme", "best", "cola", "duck"}[i%4], Status: ledger.StatusOK, Answered: true, Price: price,
		}
		if _, err := l.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(8 * time.Hour)
	}
	return l
}

func TestEntriesAreChosen(t *testing.T) {
	l := threeDays(t)
	var ids []string
	if err := l.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
		ids = append(ids, e.ID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 9 || !slices.IsSorted(ids) {
		t.Fatalf("ids %v", ids)
	}
	for _, tt := range []struct {
		name string
		q    ledger.Query
		want string
	}{
		{"all", ledger.Query{}, "012345678"},
		{"member", ledger.Query{Member: "bob"}, "1357"},
		{"model", ledger.Query{Model: "m3"}, "258"},
		{"seller", ledger.Query{Seller: "duck"}, "37"},
		{"member and seller", ledger.Query{Member: "ann", Seller: "duck"}, ""},
		{"limit", ledger.Query{Limit: 2}, "01"},
		{"member and limit", ledger.Query{Member: "bob", Limit: 3}, "135"},
		{"from is in", ledger.Query{From: moment("2026-03-02T00:00:00Z")}, "345678"},
		{"from between", ledger.Query{From: moment("2026-03-02T00:00:00.001Z")}, "45678"},
		{"to is out", ledger.Query{To: moment("2026-03-02T00:00:00Z")}, "012"},
		{"from and to", ledger.Query{From: moment("2026-03-02T00:00:00Z"), To: moment("2026-03-03T00:00:00Z")}, "345"},
		{"from another zone", ledger.Query{From: moment("2026-03-02T01:00:00+01:00"), Limit: 1}, "3"},
		{"before the first", ledger.Query{To: moment("2020-01-01T00:00:00Z")}, ""},
		{"after the last", ledger.Query{From: moment("2030-01-01T00:00:00Z")}, ""},
		{"cursor", ledger.Query{Cursor: ids[3]}, "45678"},
		{"cursor at the end", ledger.Query{Cursor: ids[8]}, ""},
		{"cursor and from", ledger.Query{Cursor: ids[3], From: moment("2026-03-03T00:00:00Z"), Limit: 2}, "67"},
		{"cursor in upper case", ledger.Query{Cursor: strings.ToUpper(ids[3])}, "45678"},
		{"cursor before all", ledger.Query{Cursor: "00000000-0000-7000-8000-000000000000"}, "012345678"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := l.Entries(t.Context(), tt.q, func(e *ledger.Entry) error {
				got += e.RequestID
				return nil
			}); err != nil || got != tt.want {
				t.Errorf("entries %s, %v, want %s", got, err, tt.want)
			}
		})
	}
	stop := errors.New("stop")
	if err := l.Entries(t.Context(), ledger.Query{}, func(*ledger.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the reader became %v", err)
	}
	if l.Entries(t.Context(), ledger.Query{Cursor: "17"}, nil) == nil {
		t.Error("17 was taken for a cursor")
	}
}

func TestSummaryOfAPeriod(t *testing.T) {
	l := threeDays(t)
	for _, tt := range []struct{ by, from, to, want string }{
		{"day", "", "", "2026-03-01:3 2026-03-02:3 2026-03-03:3"},
		{"day", "2026-03-02T23:00:00Z", "", "2026-03-03:3"},
		{"day", "2026-03-02T16:00:00Z", "", "2026-03-02:1 2026-03-03:3"},
		{"day", "2026-03-02T08:00:01Z", "", "2026-03-02:1 2026-03-03:3"},
		{"day", "", "2026-03-02T00:00:00Z", "2026-03-01:3"},
		{"day", "", "2026-03-02T00:00:01Z", "2026-03-01:3 2026-03-02:1"},
		{"day", "2026-03-01T08:00:00Z", "2026-03-03T08:00:00Z", "2026-03-01:2 2026-03-02:3 2026-03-03:1"},
		{"day", "2026-03-01T08:00:00Z", "2026-03-01T16:00:00Z", "2026-03-01:1"},
		{"day", "2026-03-01T16:00:00Z", "2026-03-02T08:00:00Z", "2026-03-01:1 2026-03-02:1"},
		{"day", "2026-03-01T09:00:00Z", "2026-03-01T15:00:00Z", ""},
		{"day", "2026-03-03T00:00:00Z", "2026-03-01T00:00:00Z", ""},
		{"member", "2026-03-01T02:00:00+02:00", "2026-03-01T10:00:00+02:00", "ann:1"},
		{"day", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "2026-03-02:3"},
		{"member", "", "", "ann:5 bob:4"},
		{"model", "2026-03-03T00:00:00Z", "", "m1:1 m2:1 m3:1"},
		{"seller", "", "", "acme:3 best:2 cola:2 duck:2"},
		{"seller", "2026-03-04T00:00:00Z", "", ""},
	} {
		var from, to time.Time
		if tt.from != "" {
			from = moment(tt.from)
		}
		if tt.to != "" {
			to = moment(tt.to)
		}
		rows, err := l.Summary(t.Context(), from, to, tt.by)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%s:%d", r.Key, r.Requests))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("by %s from %s to %s: %s, want %s", tt.by, tt.from, tt.to, s, tt.want)
		}
	}
}

// What a member has used is what the summaries say of that member, whatever others of a like name do.
func TestUsageOf(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir()})
	for i, name := range []string{"ann", "ann", "ann:b", "ann%3Ab", "an", "anna"} {
		id := fmt.Sprint("of ", i)
		if _, err := l.Settle(ledger.Inference{
			Request: ledger.Request{RequestID: id, IdempotencyKey: id, Member: name, RequestedModel: "m", Model: "m", Protocol: "messages"},
			Seller:  "acme", Origin: origin, Attempts: 1, Status: ledger.StatusOK, Answered: true, Settlement: settlement(id, 7),
		}).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all, err := l.Summary(t.Context(), time.Time{}, time.Time{}, "member")
	if err != nil || len(all) != 5 {
		t.Fatal(all, err)
	}
	for _, row := range all {
		of, err := l.UsageOf(t.Context(), row.Key, time.Now().Add(-24*time.Hour), "member", "day", "model")
		if err != nil || len(of["member"]) != 1 || !reflect.DeepEqual(of["member"][0], row) || len(of["day"]) != 1 || of["day"][0].Rollup != row.Rollup {
			t.Errorf("%s: %+v, %v, want %+v", row.Key, of, err, row)
		}
	}
	if of, err := l.UsageOf(t.Context(), "nobody", time.Now(), "day"); err != nil || len(of["day"]) != 0 {
		t.Errorf("of nobody: %v, %v", of, err)
	}
	if _, err := l.UsageOf(t.Context(), "ann", time.Now(), "hour"); err == nil {
		t.Error("there are rows by the hour")
	}
}

func TestTopModels(t *testing.T) {
	now := moment("2026-03-01T12:00:00Z")
	l := open(t, ledger.Options{InMemory: true, Now: func() time.Time { return now }})
	for _, days := range [][]string{{"old", "old", "old", "old"}, {"b", "b", "b", "d"}, {}, {}, {}, {}, {}, {}, {"c", "a", "c", "a"}} {
		for i, model := range days {
			in := ledger.Inference{Request: ledger.Request{RequestID: "r", Member: fmt.Sprint(i), Model: model}, Status: ledger.StatusFailed}
			if _, err := l.Settle(in).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(24 * time.Hour)
	}
	now = now.Add(-24 * time.Hour) // the 9th: what is old was requested eight days ago
	for _, tt := range []struct {
		since string
		n     int
		want  string
	}{
		{"2026-03-02T12:00:00Z", 5, "b a c d"},
		{"2026-03-02T23:59:59Z", 2, "b a"}, // days are whole
		{"2026-03-03T01:30:00+02:00", 1, "b"},
		{"2026-03-03T00:00:00Z", 5, "a c"},
		{"2020-01-01T00:00:00Z", 5, "b a c d"}, // it looks no further back
		{"2026-03-10T00:00:00Z", 5, ""},
		{"2026-03-02T12:00:00Z", 0, ""},
		{"2026-03-02T12:00:00Z", -1, ""},
	} {
		models, err := l.TopModels(t.Context(), moment(tt.since), tt.n)
		if got := strings.Join(models, " "); err != nil || got != tt.want {
			t.Errorf("the top %d since %s: %s, %v, want %s", tt.n, tt.since, got, err, tt.want)
		}
	}
}

// TestEntryJSON fixes the members of an entry, in every kind, and how its hash is found.
func TestEntryJSON(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true, Now: at("2026-03-01T12:00:00.5Z")})
	buy(t, l, "t1", "acme", 5_000)
	if _, err := l.Settle(ledger.Inference{
		Request: ledger.Request{RequestID: "r1", Member: "ann", Model: "m", Protocol: "messages"}, Status: ledger.StatusFailed,
		TimeToFirstByte: 1500 * time.Millisecond,
	}).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := inference(hold("h", "acme", "t1"), 10)
	in.HoldID = ""
	if _, err := l.Waste(in).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	const common = "id time kind seller postings previousHash hash"
	want := []string{
		common + " purchaseId state", common + " purchaseId state",
		common + " requestId idempotencyKey member requestedModel model protocol attempts status promptTokens completionTokens " +
			"cacheReadTokens billedMicros expenseMicros billedSource settlementId flags timeToFirstByteMs durationMs promptHash",
		common + " attempt note purchaseId",
	}
	previous := ""
	err := l.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
		raw, err := json.Marshal(e)
		if err != nil {
			return err
		}
		var members map[string]any
		if err := json.Unmarshal(raw, &members); err != nil {
			return err
		}
		var got []string
		for name := range members {
			got = append(got, name)
		}
		wanted := strings.Fields(want[0])
		want = want[1:]
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("a %s entry has %v, want %v", e.Kind, got, wanted)
		}
		if members["time"] != "2026-03-01T12:00:00.5Z" {
			t.Errorf("time %v", members["time"])
		}
		if e.Served != nil && (members["flags"] == nil || members["timeToFirstByteMs"] != 1500.0) {
			t.Errorf("inference %s", raw)
		}
		// Anybody can check the chain on what is exported.
		sum := sha256.Sum256([]byte(previous + strings.Replace(string(raw), `"hash":"`+e.Hash, `"hash":"`, 1)))
		if e.PreviousHash != previous || e.Hash != hex.EncodeToString(sum[:]) {
			t.Errorf("the chain is broken at %s", raw)
		}
		previous = e.Hash
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("%v, left: %v", err, want)
	}
}
