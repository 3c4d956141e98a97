package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/zeebo/blake3"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Who has made a response, or a container that code runs in: what builds on it, or asks for it, goes there.

// findMaker looks up who made the response that the request goes on from, and how long that was. A response that is not known is
// nobody's, or another member's.
func (rq *request) findMaker() *dialect.Refusal {
	id := rq.ask.PreviousResponseID
	if id == "" {
		return rq.findContainers()
	}
	var err error
	rq.made, _, err = rq.gw.maker(rq.r.Context(), rq.member.Name, id, true, rq.begun)
	switch {
	case err == nil:
		return rq.findContainers()
	case rq.ask.Thread: // its client has all of it
		return dialect.ThreadNotFound()
	}
	return rq.unmade(err, "previous_response_id")
}

// unmade refuses what goes on from, or asks for, a response whose maker was not found, for that reason. While the store of the fleet is away nobody
// can tell whether another gateway has made it.
func (rq *request) unmade(why error, param string) *dialect.Refusal {
	if errors.Is(why, routing.ErrUnmade) {
		return dialect.ResponseNotFound(param)
	}
	if !rq.left() { // else that is why
		rq.log.Warn("fleet.unavailable", zap.String("requestId", rq.id), zap.Error(why))
	}
	return dialect.FleetUnavailable(retryLater).Because("This gateway can't find out now who has made this response. Try again in a moment.")
}

// rolling is how long a change of config, or of the registry, may take to come to all gateways of a fleet.
const rolling = 10 * time.Minute

// mayKnow tells whether this gateway may yet come to know the seller that has made something: another gateway of the fleet has bought it there a short
// while ago, as its config, or its registry, is another one than here. What was made before this config began is another matter: it goes without
// that seller.
func (gw *Gateway) mayKnow(made *routing.Made, now time.Time) bool {
	at := made.At()
	return !gw.inFleet.IsZero() && at.After(gw.inFleet) && now.Sub(at) < rolling
}

// anybody stands in the keys of containers for the member: whose a container is, what is remembered of it says.
const anybody = ""

// findContainers looks up who made the containers that the request goes on in: the first one that is known says where. One that is not known
// here may have been made by other ways, and is the seller's to find: then every request for it is for one that is not known, and none waits
// for what another gateway of a fleet may have to tell.
func (rq *request) findContainers() *dialect.Refusal {
	found := rq.ask.PreviousResponseID != "" // the conversation says where
	for _, id := range rq.ask.Containers {
		made, _, err := rq.gw.maker(rq.r.Context(), anybody, id, false, rq.begun)
		switch {
		case err != nil:
		case made.Owner != rq.gw.named.memberHash(rq.member.Name) && made.Owner != rq.gw.namedBefore.memberHash(rq.member.Name):
			return dialect.ResponseNotFound("container").Because("The container with this id is not yours.")
		case !found:
			rq.made, found = made, true
		}
	}
	return nil
}

// rememberContainer keeps who has made a container, and for whom, unless the request went on in it. No other seller can say later that it
// has made it.
func (a *attempt) rememberContainer(id string) {
	rq, now := a.rq, time.Now()
	if slices.Contains(rq.ask.Containers, id) {
		return
	}
	key := rq.gw.named.responseKey(anybody, id)
	if _, known := rq.gw.responses.Get(key, now); !known {
		made := routing.Made{Seller: a.candidate.Seller.Key(), Model: a.candidate.Model}
		rq.gw.responses.Put(key, rq.gw.named.memberHash(rq.member.Name), made, now)
	}
}

// maker finds who has made a member's response, and what it is known by. justNow: it may have been made just now, at another gateway. The error is
// that of [routing.Responses.Find].
func (gw *Gateway) maker(ctx context.Context, member, id string, justNow bool, now time.Time) (made routing.Made, key affinityKey, err error) {
	key = gw.named.responseKey(member, id)
	if made, ok := gw.responses.Get(key, now); ok {
		return made, key, nil
	}
	before := gw.namedBefore.responseKey(member, id)
	if made, ok := gw.responses.Get(before, now); ok {
		return made, before, nil
	}
	made, err = gw.responses.Find(ctx, key, justNow, now)
	return made, key, err
}

// rememberResponse keeps who has made a response, once its id is known, and how long it is with all that it went on from: by what
// it says that it used, else by what was expected; and who has made the containers of an answer that is no stream.
func (a *attempt) rememberResponse() {
	rq, n := a.rq, a.answer
	if n.words != nil { // a stream says of itself when it comes to its containers
		for _, id := range n.words.Containers() {
			a.rememberContainer(id)
		}
	}
	if !rq.endpoint.Keeps(rq.ask) || n.response.StatusCode != http.StatusOK {
		return
	}
	id, usage := n.said()
	if id == "" {
		return
	}
	expected := rq.expected()
	used := usage.Fill(expected.Prompt, expected.Completion)
	rq.gw.responses.Put(rq.gw.named.responseKey(rq.member.Name, id), rq.gw.named.memberHash(rq.member.Name), routing.Made{
		Seller: a.candidate.Seller.Key(), Model: a.candidate.Model, Tokens: used.Prompt + used.Completion,
	}, time.Now())
}

// nameResponses has responses be known in a fleet by hashes that all of its gateways make alike, whatever the keys of their ledgers are:
// the books beside them have the members' names. Those that were made before a gateway was in the fleet, or in one that it has left, have
// the others.
func (gw *Gateway) nameResponses(fleet bool) {
	var key [32]byte
	blake3.DeriveKey("tokenbuddy fleet response hash", nil, key[:])
	gw.named, gw.namedBefore = gw.hashers, newHashers(key)
	if fleet {
		gw.named, gw.namedBefore = gw.namedBefore, gw.named
	}
}

// responseKey stands for a member's response. Another member's request for the same id has another key.
func (h *hashers) responseKey(member, id string) affinityKey {
	return h.end(h.begin("response", member, id))
}

// memberHash is a number for a member that says nothing of its name.
func (h *hashers) memberHash(member string) uint64 {
	sum := h.end(h.begin("member", member))
	return binary.LittleEndian.Uint64(sum[:])
}
