package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// TestSlowClientBlamesNobody: the time of an answer that is too long to be read ahead may be over because its client takes it slowly. Then it
// breaks off, and the seller is not at fault; one that is slow itself is.
func TestSlowClientBlamesNobody(t *testing.T) {
	for name, slow := range map[string]bool{"client": true, "seller": false} {
		over := make(chan struct{})
		w := newWay(t, `,"failover":{"deadline":"3s"}`, func(w http.ResponseWriter, r *http.Request) {
			defer close(over)
			_, _ = io.Copy(io.Discard, r.Body)
			says(200, good[:len(good)-1]+`,"more":"`+strings.Repeat("x", maxWholeAnswer))(w, r)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		client := slowClient{httptest.NewRecorder(), over}
		if !slow {
			client.over = closedBefore
		}
		func() {
			defer func() {
				if got := recover(); got != http.ErrAbortHandler {
					t.Errorf("a slow %s: the answer ends with %v", name, got)
				}
			}()
			_ = w.door.ServeHTTP(client, newAsk(chat), nil)
		}()
		pool := w.gw.pool
		if booked := w.booked(); len(booked) != 1 || booked[0].Status != ledger.StatusInterrupted {
			t.Errorf("a slow %s: booked: %+v", name, booked)
		}
		if blamed := pool.Entries()[0].LastFailAt != nil; blamed == slow {
			t.Errorf("a slow %s: is the seller blamed? %v", name, blamed)
		}
	}
}

// slowClient is one that takes nothing of an answer until its seller's call is over.
type slowClient struct {
	*httptest.ResponseRecorder
	over <-chan struct{}
}

func (c slowClient) Write(p []byte) (int, error) {
	<-c.over
	return c.ResponseRecorder.Write(p)
}

// closedBefore is over from the beginning.
var closedBefore = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
