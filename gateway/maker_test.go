package gateway

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// unknowing is a fleet in which nobody has made anything. It notes of each look whether it was told to wait.
type unknowing struct{ waits []bool }

func (*unknowing) KeepResponse([16]byte, uint64, routing.Made)                     {}
func (*unknowing) ForgetResponse([16]byte)                                         {}
func (*unknowing) EachResponse(func(key [16]byte, _ uint64, _ routing.Made)) error { return nil }

func (f *unknowing) FindResponse(_ context.Context, _ [16]byte, justNow bool) (uint64, routing.Made, error) {
	f.waits = append(f.waits, justNow)
	return 0, routing.Made{}, routing.ErrUnmade
}

// A container that an account has made by other ways is known to no gateway of a fleet, at each request for it: none of them waits for another
// gateway to tell of it, as one waits for the maker of a response.
func TestUnknownContainersAreNotWaitedFor(t *testing.T) {
	fleet := new(unknowing)
	responses, err := routing.NewResponses(10, fleet, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	gw := &Gateway{hashers: newHashers([32]byte{1}), responses: responses}
	gw.nameResponses(true)
	rq := &request{r: httptest.NewRequest("POST", "/v1/responses", nil), gw: gw, member: &member.Member{Name: "ada"}}
	for _, test := range []struct {
		ask   dialect.Request
		waits []bool
	}{
		{dialect.Request{Containers: []string{"a", "b"}}, []bool{false, false}},
		{dialect.Request{PreviousResponseID: "r"}, []bool{true}},
	} {
		fleet.waits, rq.ask = nil, &test.ask
		refusal := rq.findMaker()
		if !slices.Equal(fleet.waits, test.waits) || (refusal != nil) != (test.ask.PreviousResponseID != "") {
			t.Errorf("%+v: waits %v, refused %v", test.ask, fleet.waits, refusal)
		}
	}
}

// silent is a fleet whose store does not answer.
type silent struct{ unknowing }

var errAway = errors.New("the store is away")

func (*silent) FindResponse(context.Context, [16]byte, bool) (uint64, routing.Made, error) {
	return 0, routing.Made{}, errAway
}

// TestNobodyIsUnmadeWithoutTheStore: while the store of a fleet is away nobody can say for good that a response is not there.
func TestNobodyIsUnmadeWithoutTheStore(t *testing.T) {
	responses, err := routing.NewResponses(10, new(silent), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	gw := &Gateway{hashers: newHashers([32]byte{1}), responses: responses}
	gw.nameResponses(true)
	core, logged := observer.New(zap.WarnLevel)
	rq := &request{r: httptest.NewRequest("POST", "/v1/responses", nil), gw: gw, member: &member.Member{Name: "ada"}, log: zap.New(core)}
	for _, test := range []struct {
		ask  dialect.Request
		code string // empty: it goes on
	}{
		{dialect.Request{PreviousResponseID: "r"}, "fleet_unavailable"},
		{dialect.Request{PreviousResponseID: "m", Thread: true}, "thread_not_found"}, // its client has all of it
		{dialect.Request{Containers: []string{"c"}}, ""},                             // it may be an account's own
	} {
		rq.ask = &test.ask
		refusal := rq.findMaker()
		if (refusal == nil) != (test.code == "") || refusal != nil && (refusal.Code != test.code || refusal.NoRetry == (test.code == "fleet_unavailable")) {
			t.Errorf("%+v: %+v", test.ask, refusal)
		}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	rq.r, rq.ask = rq.r.WithContext(gone), &dialect.Request{PreviousResponseID: "r"}
	rq.findMaker()
	if n := logged.FilterMessage("fleet.unavailable").Len(); n != 1 {
		t.Errorf("the log says %d times that the store is away; a client that has left does not show that", n)
	}
}

// TestMakerOfAnotherConfig: a seller that this gateway does not know, at which another one of the fleet has just had a response, may yet come to be known
// here. One that this config, or a change of long ago, goes without does not, nor where there is no fleet.
func TestMakerOfAnotherConfig(t *testing.T) {
	w := newWay(t, "", says(200, `{}`))
	now := time.Now()
	for name, row := range map[string]struct {
		began, made time.Duration // ago
		status      int
	}{
		"just now":           {time.Hour, time.Minute, 503},
		"before this config": {time.Minute, 2 * time.Minute, 404},
		"long ago":           {24 * time.Hour, time.Hour, 404},
		"in no fleet":        {0, time.Minute, 404},
	} {
		w.gw.inFleet = time.Time{}
		if row.began > 0 {
			w.gw.inFleet = now.Add(-row.began)
		}
		id := "resp_" + strings.ReplaceAll(name, " ", "_")
		w.gw.responses.Put(w.gw.named.responseKey("anonymous", id), w.gw.named.memberHash("anonymous"), routing.Made{
			Seller: routing.SellerKey{ID: "other", Origin: "https://other.example"}, Model: "m",
		}, now.Add(-row.made))
		got := httptest.NewRecorder()
		w.get(id, got)
		r := newAsk(`{"model":"m","input":"Hello","previous_response_id":"` + id + `"}`)
		r.URL.Path = "/v1/responses"
		next := httptest.NewRecorder()
		if err := w.door.ServeHTTP(next, r, nil); err != nil {
			t.Error(err)
		}
		for what, answer := range map[string]*httptest.ResponseRecorder{"asked for": got, "gone on from": next} {
			if again := answer.Header().Get("Retry-After") != ""; answer.Code != row.status || again != (row.status == 503) {
				t.Errorf("%s, %s: status %d, %s", name, what, answer.Code, answer.Body)
			}
		}
	}
}
