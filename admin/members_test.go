package admin

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
)

// TestUntilADay ends a raise when that day begins, also one that has no midnight.
func TestUntilADay(t *testing.T) {
	zone, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Fatal(err)
	}
	l := openMarket(t, filepath.Join(t.TempDir(), "books")).Ledger
	if err := l.SetCalendar(t.Context(), ledger.Calendar{Zone: zone, Week: time.Monday}); err != nil {
		t.Fatal(err)
	}
	for day, want := range map[string]string{
		"2018-08-11": "2018-08-11T04:00:00Z", "2018-08-12": "2018-08-12T04:00:00Z", "2018-08-13": "2018-08-13T03:00:00Z",
	} {
		if got, err := Until(day, l); err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s is %s, %v; want %s", day, got.UTC(), err, want)
		}
	}
}

// TestUntilATime ends a raise at a time of today, as it is in the budgets' zone.
func TestUntilATime(t *testing.T) {
	l := openMarket(t, filepath.Join(t.TempDir(), "books")).Ledger
	zone := time.FixedZone("", -5*60*60)
	if err := l.SetCalendar(t.Context(), ledger.Calendar{Zone: zone, Week: time.Monday}); err != nil {
		t.Fatal(err)
	}
	begins, _, _ := l.Today()
	for said, after := range map[string]time.Duration{"00:00": 0, "9:05": 9*time.Hour + 5*time.Minute, "18:00": 18 * time.Hour, "23:59": 24*time.Hour - time.Minute} {
		if got, err := Until(said, l); err != nil || got.Sub(begins) != after {
			t.Errorf("%s is %s, %v: the day begins %s", said, got, err, begins)
		}
	}
	for _, said := range []string{"24:00", "18", "18:0", "6pm"} {
		if got, err := Until(said, l); err == nil {
			t.Errorf("%s is %s", said, got)
		}
	}
}

// TestRotateSays until when the old key is kept, where it is.
func TestRotateSays(t *testing.T) {
	openMarket(t, filepath.Join(t.TempDir(), "books"))
	if status, said := asked(t, http.MethodPost, "/tokenbuddy/members", `{"name":"ada"}`); status != http.StatusOK {
		t.Fatal(status, said)
	}
	for keep, want := range map[string]bool{"0s": false, "1h": true} {
		status, said := asked(t, http.MethodPost, "/tokenbuddy/members/ada/rotate", `{"keep":"`+keep+`"}`)
		if status != http.StatusOK || strings.Contains(said, "keptUntil") != want {
			t.Errorf("keep %s: status %d, %s", keep, status, said)
		}
	}
}

// TestOrderRefused: who gave an order that is wrong is told so, and who gave one that can't be kept is not.
func TestOrderRefused(t *testing.T) {
	unkept := func(err error) error { return fmt.Errorf("keeping it: %w", errors.Join(orders.ErrUnkept, err)) }
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("no policy has that name"), http.StatusBadRequest},
		{orders.ErrNoMember, http.StatusNotFound},
		{orders.ErrForbidden, http.StatusConflict},
		{unkept(ledger.ErrNoRoom), http.StatusServiceUnavailable},
		{unkept(&os.PathError{Op: "write", Path: "selection.json", Err: syscall.ENOSPC}), http.StatusServiceUnavailable},
		{unkept(fleet.ErrAway), http.StatusServiceUnavailable},
		{unkept(&os.PathError{Op: "write", Path: "selection.json", Err: syscall.EROFS}), http.StatusInternalServerError},
		{unkept(ledger.ErrClosed), http.StatusInternalServerError},
	} {
		got := http.StatusInternalServerError // as Caddy has it
		if refused := new(caddy.APIError); errors.As(orderRefused(c.err), refused) {
			got = refused.HTTPStatus
		}
		if got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
