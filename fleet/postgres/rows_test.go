package postgres_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// books makes rows of a gateway, from one to another, as a ledger chains them.
func books(gateway string, first, last uint64, settlements ...string) (rows []fleet.Row) {
	previous := ""
	for seq := uint64(1); seq <= last; seq++ {
		settlement := ""
		if int(seq) <= len(settlements) {
			settlement = settlements[seq-1]
		}
		plain := fmt.Sprintf(`{"id":"%s-%d","note":"Käse \u0000","settlementId":%q,"previousHash":%q,"hash":""}`, gateway, seq, settlement, previous)
		sum := sha256.Sum256([]byte(previous + plain))
		hash := hex.EncodeToString(sum[:])
		row := fleet.Row{
			Seq: seq, ID: fmt.Sprint(gateway, "-", seq), At: time.Date(2026, 3, 2, 0, 0, int(seq), 123456000, time.UTC), Kind: "inference", Member: "ada",
			Model: "toy", Seller: "acme", SettlementID: settlement, IdempotencyKey: fmt.Sprint("k", seq), Hash: hash, Previous: previous, Entry: []byte(plain[:len(plain)-2] + hash + `"}`),
		}
		if previous = hash; seq >= first {
			rows = append(rows, row)
		}
	}
	return rows
}

func journal(t testing.TB, s fleet.Store, gateway string, after uint64) (rows []fleet.Row) {
	t.Helper()
	must(t, s.Journal(t.Context(), gateway, after, func(r fleet.Row) error {
		rows = append(rows, r)
		return nil
	}))
	return rows
}

func TestAppend(t *testing.T) {
	c := shared(t)
	s := open(t, c.Addr(), c.Database(t))
	got, err := s.Append(t.Context(), "g1", nil)
	if err != nil || got.Last != 0 {
		t.Errorf("of none: %+v, %v", got, err)
	}
	all := books("g1", 1, 1100)
	for _, part := range [][]fleet.Row{all[:256], all[:256], all[200:300], all[300:1100]} {
		if got, err = s.Append(t.Context(), "g1", part); err != nil {
			t.Fatal(err)
		}
	}
	if got.Last != 1100 || got.LastHash != all[1099].Hash || got.Twins != nil {
		t.Errorf("%+v", got)
	}
	if got, err = s.Append(t.Context(), "g1", all[:1]); err != nil || got.Last != 1100 {
		t.Errorf("again: %+v, %v", got, err)
	}
	if rows := journal(t, s, "g1", 0); !reflect.DeepEqual(rows, all) {
		t.Errorf("%d rows, first %+v", len(rows), rows[0])
	}
	if rows := journal(t, s, "g1", 1098); !reflect.DeepEqual(rows, all[1098:]) {
		t.Errorf("after 1098: %d rows", len(rows))
	}
	mine := errors.New("mine")
	if err := s.Journal(t.Context(), "g1", 0, func(fleet.Row) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("%v", err)
	}
}

// Rows that do not follow what is there are not added, and neither are those with them.
func TestFork(t *testing.T) {
	c := shared(t)
	s := open(t, c.Addr(), c.Database(t))
	own := books("g", 1, 6)
	if _, err := s.Append(t.Context(), "g", own[:3]); err != nil {
		t.Fatal(err)
	}
	other := books("g", 1, 6, "another")
	for name, rows := range map[string][]fleet.Row{"another first": other, "another one before": other[3:], "another last": other[2:4]} {
		if _, err := s.Append(t.Context(), "g", rows); !errors.Is(err, fleet.ErrFork) || errors.Is(err, fleet.ErrAway) {
			t.Errorf("%s: %v; want a fork", name, err)
		}
	}
	for name, rows := range map[string][]fleet.Row{"a gap": own[4:], "a gap within": {own[3], own[5]}, "no hash": {{Seq: 4}}} {
		if _, err := s.Append(t.Context(), "g", rows); err == nil || errors.Is(err, fleet.ErrFork) || errors.Is(err, fleet.ErrAway) {
			t.Errorf("%s: %v; want an error that is no fork", name, err)
		}
	}
	if rows := journal(t, s, "g", 0); len(rows) != 3 {
		t.Errorf("%d rows are there", len(rows))
	}
}

// A settlement that two gateways have booked is the one's that was first; that is said to the other, however often it asks.
func TestTwins(t *testing.T) {
	c := shared(t)
	s := open(t, c.Addr(), c.Database(t))
	one, two := books("g1", 1, 4, "", "s1", "s2", "s2"), books("g2", 1, 3, "s2", "s3", "s1")
	if got, err := s.Append(t.Context(), "g1", one); err != nil || got.Twins != nil {
		t.Errorf("%+v, %v", got, err)
	}
	want := []fleet.Twin{{Seq: 1, Gateway: "g1", Other: 3, IdempotencyKey: "k3"}, {Seq: 3, Gateway: "g1", Other: 2, IdempotencyKey: "k2"}}
	for range 2 {
		if got, err := s.Append(t.Context(), "g2", two); err != nil || !reflect.DeepEqual(got.Twins, want) {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := s.Append(t.Context(), "g1", one); err != nil || got.Twins != nil {
			t.Errorf("the first one is told: %+v, %v", got, err)
		}
	}
	for i := range two {
		two[i].Seller = "other"
	}
	if got, err := s.Append(t.Context(), "g3", two); err != nil || got.Twins != nil {
		t.Errorf("of another seller: %+v, %v", got, err)
	}
}

// Of gateways that book the same settlements at once, in any order, each one has one owner.
func TestTwinsAtOnce(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	const gateways, settlements = 4, 200
	var forward, back []string
	for i := range settlements {
		forward, back = append(forward, fmt.Sprint("s", i)), append(back, fmt.Sprint("s", settlements-1-i))
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	twins := 0
	for g := range gateways {
		wg.Go(func() {
			s := open(t, c.Addr(), database)
			rows := books(fmt.Sprint("g", g), 1, settlements, [][]string{forward, back}[g%2]...)
			for len(rows) > 0 {
				got, err := s.Append(t.Context(), fmt.Sprint("g", g), rows[:20])
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				twins += len(got.Twins)
				mu.Unlock()
				rows = rows[20:]
			}
		})
	}
	wg.Wait()
	if want := (gateways - 1) * settlements; twins != want {
		t.Errorf("%d twins; want %d", twins, want)
	}
}

// The chain can be checked in SQL, without any program of ours.
func TestChainInSQL(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	s := open(t, c.Addr(), database)
	if _, err := s.Append(t.Context(), "g", books("g", 1, 300)); err != nil {
		t.Fatal(err)
	}
	conn := c.Connect(t, database)
	broken := func() (n int) {
		must(t, conn.QueryRow(t.Context(), `select count(*) from (
			select hash, previous, entry, lag(hash, 1, '') over (partition by gateway order by seq) as before, lag(seq, 1, 0::bigint) over (partition by gateway order by seq) as follows, seq
			from tokenbuddy_fleet_entry) as e
			where seq <> follows + 1 or previous <> before or right(entry, 66) <> hash || '"}'
			or hash <> encode(sha256(convert_to(previous || left(entry, length(entry) - 66) || '"}', 'utf8')), 'hex')`).Scan(&n))
		return n
	}
	if n := broken(); n != 0 {
		t.Errorf("%d of 300 entries are broken", n)
	}
	for sql, want := range map[string]int{
		"update tokenbuddy_fleet_entry set entry = replace(entry, 'Käse', 'Kase') where seq = 7": 1,
		"delete from tokenbuddy_fleet_entry where seq = 100":                                     1,
		"update tokenbuddy_fleet_entry set previous = hash where seq = 200":                      1,
	} {
		before := broken()
		c.ExecIn(t, database, sql)
		if n := broken(); n != before+want {
			t.Errorf("%s: %d entries are broken, and were %d", sql, n, before)
		}
	}
}
