package gateway

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// silence is a registry that takes every request and answers none.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A request that waits for the first registry document waits no longer once the process is about to exit.
func TestShutdownEndsTheWaitForTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, err := routing.NewRegistry(routing.RegistryOptions{URL: "https://registry.example", Timeout: time.Minute, Transport: silence{}})
		if err != nil {
			t.Fatal(err)
		}
		fetching, stop := context.WithCancel(t.Context())
		defer stop()
		go registry.Run(fetching)
		shutdown, exit := context.WithCancel(t.Context())
		gw := &Gateway{registry: registry, shutdown: shutdown, table: emptyTable(t)}
		time.AfterFunc(3*time.Second, exit)
		began := time.Now()
		gw.index(t.Context())
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it waited for %s", took)
		}
		if r := gw.unknown("m"); r.Status != http.StatusServiceUnavailable || r.Message != restarting {
			t.Errorf("%+v", r)
		}
	})
}

// emptyTable is a table that has had no document.
func emptyTable(t *testing.T) *routing.Table {
	t.Helper()
	policy, err := routing.NewPolicy("default_first")
	if err != nil {
		t.Fatal(err)
	}
	return routing.NewTable(routing.TableOptions{
		Methods: []string{"mock"}, Policy: policy, Pool: routing.NewPool(routing.PoolOptions{}), Exclusions: routing.NewExclusions(100),
	})
}

// slow is a registry that takes its time.
type slow time.Duration

func (l slow) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(time.Duration(l))
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, ContentLength: -1,
		Body: io.NopCloser(strings.NewReader(`{"sellers":[{"id":"acme","url":"https://acme.example","models":["m"]}]}`)),
	}, nil
}

// A config that is replaced before the first registry document comes hears of no document any more. Its requests, those that
// wait for it and those that have not come so far yet, are served by it all the same.
func TestFirstDocumentComesAfterTheConfigIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, err := routing.NewRegistry(routing.RegistryOptions{URL: "https://registry.example", Transport: slow(2 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		fetching, stop := context.WithCancel(t.Context())
		defer stop()
		go registry.Run(fetching)
		for _, when := range []string{"waits for it", "comes after it"} {
			gw := &Gateway{registry: registry, shutdown: t.Context(), table: emptyTable(t)}
			if _, ok := gw.index(t.Context()).Resolve("m"); !ok {
				t.Errorf("a request that %s finds no seller", when)
			}
		}
		before := &Gateway{registry: registry}
		gw := &Gateway{shutdown: t.Context(), table: emptyTable(t)}
		gw.inherit(before)
		if _, ok := gw.table.Index().Resolve("m"); !ok {
			t.Error("a late gateway does not know what was known")
		}
	})
}
