package tokenbuddy

import (
	"encoding/binary"
	"net/http"
	"time"

	"github.com/zeebo/blake3"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// affinityKey stands for a conversation, or for a response, in the market's memory. It is a keyed hash, so that the memory
// holds nothing of a prompt.
type affinityKey [16]byte

// identifyConversation finds out which conversation the request belongs to, by what the client says, else by how it begins.
// It is false where there is nothing to tell it by, or affinity is off.
func (x *exchange) identifyConversation() {
	if x.gw.set.affinity <= 0 {
		return
	}
	h := x.gw.hasher(x.member.Name, x.served)
	named := x.ask.PromptCacheKey
	for _, header := range []string{"X-Session-Id", "X-Claude-Code-Session-Id"} {
		if named == "" {
			named = x.r.Header.Get(header)
		}
	}
	if named != "" {
		_, _ = h.WriteString(named)
		x.inConversation = true
	} else {
		x.inConversation = x.endpoint.Opening(x.ask, x.body.bytes, h)
	}
	copy(x.conversation[:], h.Sum(nil))
}

// prefer says which seller the request is to go to first, because its prompt is cached there, or to that one alone, because
// it builds on a response that the seller has made.
func (x *exchange) prefer(q *routing.Query) {
	if id := x.ask.PreviousResponseID; id != "" && x.endpoint.Protocol == dialect.Responses {
		made, _ := x.gw.market.Responses.Get(x.gw.responseKey(x.member.Name, id), x.begun)
		q.Maker = made.Seller
	}
	if x.inConversation {
		if last, ok := x.gw.market.Conversations.Get(x.conversation, x.begun); ok {
			q.Last, q.Cached = last, q.Ceiling.Prompt/2
		}
	}
}

// remember keeps who has served the conversation.
func (a *attempt) remember() {
	if a.inConversation && a.outcome.Good() {
		a.gw.market.Conversations.Put(a.member.Name, a.conversation, a.candidate.Seller.Key(), time.Now(), a.gw.set.affinity)
	}
}

// forget lets the conversation go elsewhere: its seller has just broken off.
func (a *attempt) forget() {
	if a.inConversation {
		a.gw.market.Conversations.Put(a.member.Name, a.conversation, a.candidate.Seller.Key(), time.Now(), time.Nanosecond)
	}
}

// rememberResponse keeps who has made a response.
func (a *attempt) rememberResponse() {
	if a.endpoint.Protocol != dialect.Responses || a.response.StatusCode != http.StatusOK {
		return
	}
	id := ""
	if a.stream != nil {
		id = a.events.ResponseID()
	} else {
		id = a.endpoint.ResponseID(a.answer)
	}
	if id != "" {
		a.gw.market.Responses.Put(a.gw.responseKey(a.member.Name, id), a.gw.memberHash(a.member.Name),
			routing.Made{Seller: a.candidate.Seller.Key(), Model: a.candidate.Model}, time.Now())
	}
}

// responseKey stands for a member's response. Another member's request for the same id has another key.
func (gw *gateway) responseKey(member, id string) (key affinityKey) {
	h := gw.hasher("response", member, id)
	copy(key[:], h.Sum(nil))
	return key
}

// memberHash is a number for a member that says nothing of its name.
func (gw *gateway) memberHash(member string) uint64 {
	return binary.LittleEndian.Uint64(gw.hasher("member", member).Sum(nil))
}

// hasher begins a keyed hash with these names, each apart from the next.
func (gw *gateway) hasher(names ...string) *blake3.Hasher {
	h, _ := blake3.NewKeyed(gw.promptKey[:]) // errs on a key of another length alone
	for _, name := range names {
		_, _ = h.WriteString(name)
		_, _ = h.Write([]byte{0})
	}
	return h
}
