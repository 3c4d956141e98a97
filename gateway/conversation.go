package gateway

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// affinityKey stands for a conversation, or for a response, in the market's memory. It is a keyed hash, so that the memory
// holds nothing of a prompt.
type affinityKey [16]byte

// identifyConversation finds out which conversation the request belongs to, by what the client says, else by how it begins.
// It is zero where there is nothing to tell it by, or affinity is off.
func (rq *request) identifyConversation() (key affinityKey) {
	if rq.gw.settings.Affinity <= 0 {
		return key
	}
	h := rq.gw.hashers.begin(rq.member.Name, rq.served)
	named := rq.ask.PromptCacheKey
	for _, header := range []string{"X-Session-Id", "X-Claude-Code-Session-Id"} {
		if named == "" {
			named = rq.r.Header.Get(header)
		}
	}
	if named != "" {
		_, _ = h.WriteString(named)
	} else if !rq.endpoint.Opening(rq.ask, rq.body.bytes, h) {
		rq.gw.hashers.end(h)
		return key
	}
	return rq.gw.hashers.end(h)
}

// prefer says which seller the request is to go to first, because its prompt is cached there, or to that one alone, because
// it builds on a response that the seller has made.
func (rq *request) prefer(q *routing.Query) {
	q.Maker, rq.maker = rq.made.Seller, rq.made.Seller
	if rq.conversation == (affinityKey{}) {
		return
	}
	last, ok := rq.gw.conversations.Get(rq.conversation, rq.begun)
	if !ok && rq.ask.Sealed { // who made what is in it is known for longer than whose cache has the prompt, and over a restart
		made, _ := rq.gw.responses.Find(rq.r.Context(), rq.conversation, false, rq.begun)
		last, ok = made.Seller, made.Seller != routing.SellerKey{}
	}
	if !ok {
		return
	}
	q.Last, q.Cached = last, q.Ceiling.Prompt/2
	if rq.ask.Sealed && rq.maker == (routing.SellerKey{}) {
		rq.maker = last
	}
}

// rememberConversation keeps who has served the conversation. One that carries what only its maker can read is kept as a response
// is.
func (a *attempt) rememberConversation() {
	a.keepConversation(a.rq.gw.settings.Affinity)
	rq := a.rq
	if !rq.ask.Sealed || rq.conversation == (affinityKey{}) {
		return
	}
	if made, ok := rq.gw.responses.Get(rq.conversation, time.Now()); !ok || made.Seller != a.candidate.Seller.Key() {
		made = routing.Made{Seller: a.candidate.Seller.Key(), Model: a.candidate.Model}
		rq.gw.responses.Put(rq.conversation, rq.gw.hashers.memberHash(rq.member.Name), made, time.Now())
	}
}

// forgetConversation lets the conversation go elsewhere: its seller has just broken off.
func (a *attempt) forgetConversation() { a.keepConversation(time.Nanosecond) }

func (a *attempt) keepConversation(life time.Duration) {
	if a.rq.conversation != (affinityKey{}) {
		a.rq.gw.conversations.Put(a.rq.member.Name, a.rq.conversation, a.candidate.Seller.Key(), time.Now(), life)
	}
}
