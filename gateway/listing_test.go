package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
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
