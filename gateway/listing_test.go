package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestListLate has a request come to a config that is gone: what its provider has listed is known to it, and is not read again.
func TestListLate(t *testing.T) {
	var lists atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet:
			says(200, good)(w, r)
		case lists.Add(1) == 1:
			says(200, `{"data":[{"id":"listed"},{"id":""}]}`)(w, r)
		default:
			says(500, `{}`)(w, r)
		}
	}))
	t.Cleanup(server.Close)
	w := openWay(t, `"sellers":[{"id":"own","url":"`+server.URL+`","no_key":true,"models_from":"/v1/models"}]`)
	listed := strings.Replace(chat, `"m"`, `"listed"`, 1)
	if res := w.ask(listed); res.Code != http.StatusOK {
		t.Fatalf("status %d: %s", res.Code, res.Body)
	}
	w.door.Retire()
	<-w.gw.closed
	if res := w.ask(listed); res.Code != http.StatusOK || lists.Load() != 1 {
		t.Errorf("late: status %d after %d reads: %s", res.Code, lists.Load(), res.Body)
	}
	if late := w.door.gateway.Load(); late != w.gw {
		<-late.closed
	}
}

// unlisting gives the words of a provider that answers, and has a list of its own.
func unlisting(t *testing.T, list http.HandlerFunc) (words string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			list(w, r)
			return
		}
		says(200, good)(w, r)
	}))
	t.Cleanup(server.Close)
	return `{"id":"own","url":"` + server.URL + `","no_key":true,"models_from":"/v1/models"}`
}

// TestListUnread: as long as a provider's list was never read, nobody knows that there is no such model, and a client is not told so for good.
func TestListUnread(t *testing.T) {
	var there atomic.Bool
	w := openWay(t, `"sellers":[`+unlisting(t, func(w http.ResponseWriter, r *http.Request) {
		if there.Load() {
			says(200, `{"data":[{"id":"listed"}]}`)(w, r)
			return
		}
		says(500, `{}`)(w, r)
	})+`]`)
	list := func() *httptest.ResponseRecorder {
		res, r := httptest.NewRecorder(), newAsk("")
		r.Method, r.URL.Path = http.MethodGet, "/v1/models"
		if err := w.door.ServeHTTP(res, r, nil); err != nil {
			t.Error(err)
		}
		return res
	}
	listed := strings.Replace(chat, `"m"`, `"listed"`, 1)
	for name, res := range map[string]*httptest.ResponseRecorder{"the model": w.ask(listed), "all": list()} {
		if h := res.Header(); res.Code != http.StatusServiceUnavailable || h.Get("Retry-After") == "" || h.Get("X-Should-Retry") != "" ||
			!strings.Contains(res.Body.String(), "could not be read yet") {
			t.Errorf("%s: status %d, %v: %s", name, res.Code, h, res.Body)
		}
	}
	there.Store(true)
	if err := w.gw.takeList(t.Context(), w.gw.lists[0]); err != nil {
		t.Fatal(err)
	}
	if res := w.ask(listed); res.Code != http.StatusOK {
		t.Errorf("status %d: %s", res.Code, res.Body)
	}
	if res := w.ask(chat); res.Code != http.StatusNotFound {
		t.Errorf("another model: status %d: %s", res.Code, res.Body)
	}
}

// TestShutdownEndsTheWaitForAList: nobody waits for the first read of a provider's list once the process is about to exit.
func TestShutdownEndsTheWaitForAList(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	shutdown, exit := context.WithCancel(t.Context())
	w := openWayUntil(t, shutdown, `"sellers":[`+unlisting(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })+`]`)
	exit()
	asked := time.Now()
	if res := w.ask(chat); res.Code != http.StatusServiceUnavailable || !strings.Contains(res.Body.String(), restarting) || time.Since(asked) > listTime/2 {
		t.Errorf("status %d after %s: %s", res.Code, time.Since(asked), res.Body)
	}
}
