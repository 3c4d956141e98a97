package command

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestInterrupted ends a command at once, also while the gateway has said nothing yet.
func TestInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	held := make(chan struct{})
	admin := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		interrupt()
		<-held
	}))
	defer admin.Close()
	defer close(held)
	ended := make(chan error, 1)
	go func() { ended <- saysUntil(ctx, "members", "--address", strings.TrimPrefix(admin.URL, "http://")) }()
	select {
	case err := <-ended:
		if err == nil || err.Error() != "interrupted" {
			t.Errorf("it says %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}

// TestWhichLedger: where the Caddy has several ledgers open each command says so, also the doctor, to whom nothing is wrong with that.
func TestWhichLedger(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"say which ledger with ?ledger=, one of: /a, /b"}`))
	}))
	defer admin.Close()
	for _, word := range []string{"members", "sellers", "doctor", "verify"} {
		if err := says(word, "--address", strings.TrimPrefix(admin.URL, "http://")); err == nil || err.Error() != "say which ledger with --of, one of: /a, /b" {
			t.Errorf("%s: %v", word, err)
		}
	}
}

// TestAddressAsURL: an admin endpoint is also found by the URL at which curl finds it.
func TestAddressAsURL(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[]")) }))
	defer admin.Close()
	for _, address := range []string{strings.TrimPrefix(admin.URL, "http://"), admin.URL, admin.URL + "/"} {
		if err := says("members", "--address", address); err != nil {
			t.Errorf("--address %s: %v", address, err)
		}
	}
	if err := says("members", "--address", "unix//nowhere/"); err == nil || !strings.Contains(err.Error(), "unix//nowhere/") {
		t.Errorf("a socket's path: %v", err)
	}
}
