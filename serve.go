package tokenbuddy

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// ServeHTTP answers the paths of the model APIs; everything else goes to the next handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	x := &exchange{w: w, r: r, begun: time.Now(), endpoint: dialect.Lookup(r.URL.Path), logger: h.logger}
	var story func() *dialect.Refusal
	var refusal *dialect.Refusal
	switch {
	case isModels(r):
		story = x.models
	case x.endpoint != nil && r.Method == http.MethodPost:
		story = x.infer
	case r.URL.Path == dialect.ResponsesPath && isWebSocket(r):
		refusal = dialect.UpgradeRequired()
	default:
		return next.ServeHTTP(w, r)
	}
	if r.Header.Get(wire.HeaderDeadline) != "" {
		refusal = dialect.Loop() // only a gateway sends it: two of them point at each other
	}
	x.shape = x.callersShape()
	x.id = requestID(r.Header.Get(wire.HeaderRequestID))
	w.Header().Set(wire.HeaderRequestID, x.id)
	if refusal != nil {
		x.refuse(refusal)
		return nil
	}

	gw, err := h.enter(r.Context())
	if err != nil {
		h.logger.Error("proxy.request.refused", zap.Error(err))
		dialect.NoSeller(time.Second).Write(w, x.shape, x.id)
		return nil
	}
	defer gw.leave()
	x.gw = gw
	x.logger.Debug("proxy.request.started", zap.String("requestId", x.id), zap.String("path", r.URL.Path))
	defer x.tell()
	if refusal := story(); refusal != nil {
		x.refuse(refusal)
	}
	return nil
}

// exchange is one request of a client and what has come of it so far.
type exchange struct {
	gw       *gateway
	w        http.ResponseWriter
	r        *http.Request
	endpoint *dialect.Endpoint // nil for GET /v1/models
	shape    dialect.Shape
	id       string
	begun    time.Time
	logger   *zap.Logger

	member      *member.Member
	body        *body
	ask         *dialect.Request
	served      string // the model's id after aliases
	answers     int64  // bytes of answers in memory
	promptHash  string
	promptBytes int64
	idempotent  string // the Idempotency-Key of every attempt

	conversation   affinityKey // whose seller has the prompt cached, if inConversation
	inConversation bool

	budget    *ledger.Reservation // of the member, until the request is booked
	attempts  int
	trace     []ledger.Try  // of the attempts
	seller    string        // of the last attempt
	holdID    string        // of the last attempt
	holds     []hold        // of all attempts
	firstByte time.Duration // until the first byte went to the client
	ended     ledger.Status // how it was booked; empty: no seller was asked
	billed    money.Micros  // what the seller took, once it is booked
}

// infer is the story of one inference: who asks, for what, may they, which sellers, and then the trade with them.
func (x *exchange) infer() *dialect.Refusal {
	if refusal := x.identify(); refusal != nil {
		return refusal
	}
	if refusal := x.read(); refusal != nil {
		return refusal
	}
	defer x.body.release()
	defer func() { memory.give(x.answers) }()
	candidates, refusal := x.route()
	if refusal != nil {
		return refusal
	}
	if x.gw.market.Ledger.Ready() != nil {
		return dialect.NoSeller(time.Minute) // nothing is sent that can't be booked
	}
	x.promptHash = x.gw.hashPrompt(x.body.bytes)
	x.budget = x.gw.market.Ledger.Reserve(x.member.Name, ledger.Budget{Daily: x.member.DailyBudget, Monthly: x.member.MonthlyBudget})
	defer x.releaseUnbooked()
	return (&trade{exchange: x, candidates: candidates}).run()
}

// identify finds the member: by key, or by what another Caddy module has authenticated. Where the config names no members
// it is whoever asks from this machine, but not a page in a browser on it.
func (x *exchange) identify() *dialect.Refusal {
	set := x.gw.set
	if !set.members.Empty() {
		if m, ok := set.members.ByKey(x.r.Header); ok {
			x.member = m
			return nil
		}
	}
	if set.memberFrom != "" {
		if m, ok := set.members.ByName(x.replacer().ReplaceAll(set.memberFrom, "")); ok {
			x.member = m
			return nil
		}
	}
	if set.members.Empty() && set.memberFrom == "" && x.fromLoopback() && x.r.Header.Get("Origin") == "" {
		x.member = member.Anonymous
		return nil
	}
	return dialect.InvalidKey()
}

// read takes in the request and finds in it what matters here.
func (x *exchange) read() *dialect.Refusal {
	b, refusal := readBody(x.r, x.gw.set.maxBody)
	if refusal != nil {
		return refusal
	}
	x.body = b
	if x.ask, refusal = x.endpoint.Scan(b.bytes); refusal != nil {
		b.release()
		return refusal
	}
	x.promptBytes = int64(len(b.bytes))
	x.idempotent = idempotencyKey(x.member.Name, x.r.Header.Get(wire.HeaderIdempotencyKey))
	return nil
}

// route finds the sellers to try, in order.
func (x *exchange) route() ([]*routing.Candidate, *dialect.Refusal) {
	index := x.gw.index(x.r.Context())
	served, ok := index.Resolve(x.ask.Model)
	if !ok {
		return nil, x.unknown(x.ask.Model)
	}
	x.served = served
	if !x.member.Allows(served) {
		return nil, dialect.ModelNotAllowed(x.ask.Model)
	}
	if after, ok := x.gw.market.Rates.Allow(x.member, time.Now()); !ok {
		return nil, dialect.RateLimited(after)
	}
	x.gw.warmth.Touch(served, x.endpoint.Protocol)
	x.identifyConversation()
	q := routing.Query{
		Served: served, Protocol: x.endpoint.Protocol, Path: x.endpoint.Path,
		Ceiling: x.endpoint.Ceiling(x.ask), Now: x.begun, Member: x.member.Name, Streamed: x.ask.Stream,
	}
	x.prefer(&q)
	offers := index.Candidates(served, x.endpoint.Protocol)
	candidates := x.gw.table.Order(&q, offers, make([]*routing.Candidate, 0, routing.MaxReady))
	if len(candidates) == 0 && x.gw.table.Absence(&q, offers) != routing.NobodyServes {
		return nil, dialect.NoSeller(retryLater) // there are sellers, but the one that made the response is away, or the policy wants none
	}
	if len(candidates) == 0 {
		return nil, dialect.ModelNotFound(x.ask.Model)
	}
	x.logger.Debug("route.selected", zap.String("requestId", x.id), zap.String("model", served),
		zap.String("seller", candidates[0].Seller.ID), zap.Int("candidates", len(candidates)))
	return candidates, nil
}

// unknown refuses a model that no seller is known to have.
func (x *exchange) unknown(model string) *dialect.Refusal {
	if x.gw.undocumented() {
		return dialect.NoSeller(retryUndocumented)
	}
	return dialect.ModelNotFound(model)
}

// retryUndocumented is when to ask again where the registry has never given a document.
const retryUndocumented = 5 * time.Second

// undocumented tells whether there is a registry that has never given a document: then nobody knows what sellers there are.
func (gw *gateway) undocumented() bool { return gw.registry != nil && gw.registry.Document() == nil }

// index is the model index of now. It waits only on a first start that has never had a registry document.
func (gw *gateway) index(ctx context.Context) *routing.Index {
	if gw.undocumented() {
		_ = gw.registry.Ready(ctx) // whatever became of it, the index says what there is
	}
	return gw.table.Index()
}

// refuse answers in the shape of the API that was called.
func (x *exchange) refuse(refusal *dialect.Refusal) {
	x.describe()
	answer := func() { refusal.Write(x.w, x.shape, x.id) }
	if x.body != nil {
		answer()
		return
	}
	answerBeforeBody(x.w, x.r, answer)
}

// callersShape says how errors look to this client: the path says it, and for the list of models the header that only the
// Anthropic SDKs send.
func (x *exchange) callersShape() dialect.Shape {
	if x.endpoint != nil {
		return x.endpoint.Shape
	}
	if x.r.Header.Get("Anthropic-Version") != "" {
		return dialect.Anthropic
	}
	return dialect.OpenAI
}

func (x *exchange) replacer() *caddy.Replacer {
	return x.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
}

// fromLoopback is true when both the connection and, where Caddy trusts a proxy before it, the client are on this machine.
func (x *exchange) fromLoopback() bool {
	client, _ := caddyhttp.GetVar(x.r.Context(), caddyhttp.ClientIPVarKey).(string)
	return isLoopback(x.r.RemoteAddr) && (client == "" || isLoopback(client))
}

func isLoopback(address string) bool {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().IsLoopback()
}

func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// requestID is the client's own id where it is fit to stand in a header and a log, else a new one.
func requestID(own string) string {
	if own == "" || len(own) > 128 {
		return uuid.NewString()
	}
	for i := range len(own) {
		if own[i] < ' ' || own[i] > '~' {
			return uuid.NewString()
		}
	}
	return own
}
