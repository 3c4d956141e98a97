package ledger

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// What each request writes is written here, byte for byte as encoding/json would: reflection is a tenth of what a request costs the
// committer. What is written seldom is left to encoding/json.

// appendRecord appends the JSON of a record.
func appendRecord(room []byte, record any) ([]byte, error) {
	switch r := record.(type) {
	case *money.Micros:
		return strconv.AppendInt(room, int64(*r), 10), nil
	case *Hold:
		return r.appendJSON(room)
	case *Rollup:
		return r.appendJSON(room), nil
	case *sharedSpent:
		return r.appendJSON(room), nil
	case *lengths:
		return r.appendJSON(room), nil
	case *store.Head:
		return appendHead(room, r), nil
	case balance:
		if len(r.Estimates) == 0 {
			return r.appendJSON(room), nil
		}
	case *Entry:
		if r.Served != nil && r.Attempt == nil && r.Correction == nil && r.Order == nil {
			return r.appendJSON(room)
		}
	}
	raw, err := json.Marshal(record)
	return append(room, raw...), err
}

func (h *Hold) appendJSON(room []byte) ([]byte, error) {
	o := newObject(room)
	o.text("id", h.ID)
	o.text("requestId", h.RequestID)
	o.text("idempotencyKey", h.IdempotencyKey)
	o.flagIf("repeatable", h.Repeatable)
	o.text("member", h.Member)
	o.text("requestedModel", h.RequestedModel)
	o.text("model", h.Model)
	o.text("protocol", h.Protocol)
	o.textIf("path", h.Path)
	o.text("promptHash", h.PromptHash)
	o.textIf("group", h.Group)
	o.textIf("project", h.Project)
	o.number("promptBytes", h.BodyBytes)
	o.numberIf("mostPromptTokens", h.PromptTokens)
	o.numberIf("continuedTokens", h.ContinuedTokens)
	o.flagIf("promptWhole", h.PromptWhole)
	o.flagIf("hostedTools", h.HostedTools)
	o.numberIf("maxOutput", h.MaxOutput)
	o.numberIf("passedOutput", h.PassedOutput)
	o.numberIf("answers", h.Answers)
	o.flagIf("noCompletion", h.NoCompletion)
	o.flagIf("free", h.Free)
	o.text("seller", h.Seller)
	o.text("origin", h.Origin)
	o.text("tokenId", h.TokenID)
	o.number("amountMicros", int64(h.AmountMicros))
	o.name("price")
	o.room = appendPrice(o.room, h.Price)
	o.number("attempt", int64(h.Attempt))
	o.time("placedAt", h.PlacedAt)
	o.flagIf("charged", h.Charged)
	if h.Periods != nil {
		o.other("periods", h.Periods)
	}
	return o.end(), o.err
}

func appendPrice(room []byte, p money.Price) []byte {
	o := newObject(room)
	o.number("Input", int64(p.Input))
	o.number("Output", int64(p.Output))
	o.number("CacheRead", int64(p.CacheRead))
	o.number("CacheWrite", int64(p.CacheWrite))
	o.priceIf("CacheWrite1h", p.CacheWrite1h)
	o.priceIf("AudioIn", p.AudioIn)
	o.priceIf("ImageIn", p.ImageIn)
	o.priceIf("AudioOut", p.AudioOut)
	o.priceIf("ImageOut", p.ImageOut)
	o.priceIf("Reasoning", p.Reasoning)
	o.priceIf("WebSearch", p.WebSearch)
	return o.end()
}

// appendJSON is of an entry that has Served.
func (e *Entry) appendJSON(room []byte) ([]byte, error) {
	o := newObject(room)
	o.text("id", e.ID)
	o.time("time", e.Time)
	o.text("kind", string(e.Kind))
	o.text("seller", e.Seller)
	o.textIf("day", e.Day)
	e.Served.appendMembers(&o)
	o.textIf("purchaseId", e.PurchaseID)
	o.textIf("state", string(e.State))
	o.textIf("reference", e.Reference)
	o.textIf("paymentReference", e.PaymentReference)
	o.textIf("note", e.Note)
	o.name("postings")
	if e.Postings == nil {
		o.room = append(o.room, "null"...)
	} else {
		o.room = append(o.room, '[')
		for i, p := range e.Postings {
			if i > 0 {
				o.room = append(o.room, ',')
			}
			posting := newObject(o.room)
			posting.text("account", p.Account)
			posting.number("amountMicros", int64(p.AmountMicros))
			o.room = posting.end()
		}
		o.room = append(o.room, ']')
	}
	o.text("previousHash", e.PreviousHash)
	o.text("hash", e.Hash)
	return o.end(), o.err
}

func (s *Served) appendMembers(o *object) {
	o.text("requestId", s.RequestID)
	o.text("idempotencyKey", s.IdempotencyKey)
	o.text("member", s.Member)
	o.text("requestedModel", s.RequestedModel)
	o.text("model", s.Model)
	o.text("protocol", s.Protocol)
	o.number("attempts", int64(s.Attempts))
	if len(s.Trace) > 0 {
		o.other("trace", s.Trace)
	}
	o.text("status", string(s.Status))
	o.number("promptTokens", s.PromptTokens)
	o.number("completionTokens", s.CompletionTokens)
	o.number("cacheReadTokens", s.CacheReadTokens)
	o.number("billedMicros", int64(s.BilledMicros))
	o.number("expenseMicros", int64(s.ExpenseMicros))
	o.text("billedSource", string(s.BilledSource))
	o.text("settlementId", s.SettlementID)
	if s.Flags != nil && len(s.Flags) == 0 {
		o.name("flags")
		o.room = append(o.room, "[]"...)
	} else {
		o.other("flags", s.Flags)
	}
	o.number("timeToFirstByteMs", s.TimeToFirstByteMs)
	o.number("durationMs", s.DurationMs)
	o.text("promptHash", s.PromptHash)
	o.textIf("group", s.Group)
	o.textIf("project", s.Project)
}

func (r *Rollup) appendJSON(room []byte) []byte {
	o := newObject(room)
	o.number("requests", r.Requests)
	o.number("promptTokens", r.PromptTokens)
	o.number("completionTokens", r.CompletionTokens)
	o.number("cacheReadTokens", r.CacheReadTokens)
	o.number("billedMicros", int64(r.BilledMicros))
	o.number("expenseMicros", int64(r.ExpenseMicros))
	o.numberIf("wasteMicros", int64(r.WasteMicros))
	return o.end()
}

func (l *lengths) appendJSON(room []byte) []byte {
	o := newObject(room)
	o.name("counts")
	sep := byte('[')
	for _, count := range l.Counts {
		o.room = strconv.AppendUint(append(o.room, sep), uint64(count), 10)
		sep = ','
	}
	o.room = append(o.room, ']')
	return o.end()
}

func appendHead(room []byte, h *store.Head) []byte {
	o := newObject(room)
	o.name("sequence")
	o.room = strconv.AppendUint(o.room, h.Sequence, 10)
	o.text("hash", h.Hash)
	o.name("commits")
	o.room = strconv.AppendUint(o.room, h.Commits, 10)
	return o.end()
}

// appendJSON is of a balance without estimates.
func (b *balance) appendJSON(room []byte) []byte {
	o := newObject(room)
	o.number("balanceMicros", int64(b.BalanceMicros))
	o.number("used", b.Used)
	o.textIf("dropped", b.Dropped)
	o.flagIf("unconfirmed", b.Unconfirmed)
	o.flagIf("untold", b.Untold)
	if b.BorneMicros != nil {
		o.number("borneMicros", int64(*b.BorneMicros))
	}
	if b.GrantedMicros != nil {
		o.number("grantedMicros", int64(*b.GrantedMicros))
	}
	o.numberIf("followed", int64(b.Followed))
	return o.end()
}

// object is a JSON object that is being written; with If a member is left out where it says nothing.
type object struct {
	room []byte
	sep  byte
	err  error // the first
}

func newObject(room []byte) object { return object{room: room, sep: '{'} }

func (o *object) end() []byte { return append(o.room, '}') }

func (o *object) name(name string) {
	o.room = append(append(append(o.room, o.sep, '"'), name...), '"', ':')
	o.sep = ','
}

func (o *object) text(name, text string) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			o.other(name, text)
			return
		}
	}
	o.name(name)
	o.room = append(append(append(o.room, '"'), text...), '"')
}

func (o *object) textIf(name, text string) {
	if text != "" {
		o.text(name, text)
	}
}

func (o *object) number(name string, n int64) {
	o.name(name)
	o.room = strconv.AppendInt(o.room, n, 10)
}

func (o *object) numberIf(name string, n int64) {
	if n != 0 {
		o.number(name, n)
	}
}

func (o *object) priceIf(name string, p money.Own) {
	if p != (money.Own{}) {
		o.number(name, int64(p.Or(money.Unknown)))
	}
}

func (o *object) flagIf(name string, yes bool) {
	if yes {
		o.name(name)
		o.room = append(o.room, "true"...)
	}
}

func (o *object) time(name string, t time.Time) {
	o.name(name)
	room, err := t.AppendText(append(o.room, '"'))
	if o.err == nil {
		o.err = err
	}
	o.room = append(room, '"')
}

// other is a member that encoding/json writes.
func (o *object) other(name string, v any) {
	o.name(name)
	raw, err := json.Marshal(v)
	if o.err == nil {
		o.err = err
	}
	o.room = append(o.room, raw...)
}
