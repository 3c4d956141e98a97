package gateway

import (
	"context"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// unknowing is a fleet in which nobody has made anything. It notes of each look whether it was told to wait.
type unknowing struct{ waits []bool }

func (*unknowing) KeepResponse([16]byte, uint64, routing.Made)                     {}
func (*unknowing) ForgetResponse([16]byte)                                         {}
func (*unknowing) EachResponse(func(key [16]byte, _ uint64, _ routing.Made)) error { return nil }

func (f *unknowing) FindResponse(_ context.Context, _ [16]byte, justNow bool) (uint64, routing.Made, bool) {
	f.waits = append(f.waits, justNow)
	return 0, routing.Made{}, false
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
