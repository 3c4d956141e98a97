package page

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
)

// OwnPath is where what a member's page shows comes from, on the site.
const OwnPath = Path + "own"

// Own is what a member sees: nothing of it is another member's, but what a group shares of its budgets.
type Own struct {
	Member      string       `json:"member"`
	Group       string       `json:"group,omitempty"`
	DayMicros   money.Micros `json:"dayMicros"` // spent in the budgets' calendar
	WeekMicros  money.Micros `json:"weekMicros"`
	MonthMicros money.Micros `json:"monthMicros"`
	Calendar    string       `json:"calendar"` // what days and weeks are there
	// AsOf is when the gateway has last heard what other gateways of its fleet have spent of these budgets; absent as in admin.Member.
	AsOf    *time.Time  `json:"asOf,omitempty"`
	Budgets []BudgetRow `json:"budgets"`
	// Days are the sums of thirty days (UTC), by day, model and project.
	Days     map[string][]ledger.Row `json:"days"`
	Requests []OwnRequest            `json:"requests"` // the last ones that are remembered, the newest first
}

// OwnRequest is a request as its member sees it.
type OwnRequest struct {
	RequestID         string       `json:"requestId"`
	Ended             time.Time    `json:"ended"`
	Path              string       `json:"path"`
	Project           string       `json:"project,omitempty"`
	RequestedModel    string       `json:"requestedModel,omitempty"`
	Model             string       `json:"model,omitempty"`
	Seller            string       `json:"seller,omitempty"`
	Outcome           string       `json:"outcome"`
	HTTPStatus        int          `json:"httpStatus,omitempty"`
	Code              string       `json:"code,omitempty"`
	Reason            string       `json:"reason,omitempty"`
	Attempts          []OwnAttempt `json:"attempts"`
	TimeToFirstByteMs int64        `json:"timeToFirstByteMs,omitempty"`
	DurationMs        int64        `json:"durationMs"`
	ExpenseMicros     money.Micros `json:"expenseMicros"`
	WastedMicros      money.Micros `json:"wastedMicros"`
	PromptTokens      int64        `json:"promptTokens"`
	CompletionTokens  int64        `json:"completionTokens"`
	CacheReadTokens   int64        `json:"cacheReadTokens"`
}

// OwnAttempt is an attempt as the member sees it: not where the seller is, nor what its answer or the purchase has said.
type OwnAttempt struct {
	Number  int    `json:"number"`
	Seller  string `json:"seller"`
	Kind    string `json:"kind"`
	Status  int    `json:"status,omitempty"`
	Then    string `json:"then"`
	BeginMs int64  `json:"beginMs"`
	SentMs  int64  `json:"sentMs,omitempty"`
	KnownMs int64  `json:"knownMs"`
}

// OwnOf is what a member sees of a market. It reads thirty days of the member's sums.
func OwnOf(ctx context.Context, m *market.Market, who *member.Member) (*Own, error) {
	admin.RefreshBudgets(ctx, m.Ledger, who)
	spent, err := m.Ledger.SpentBy(ctx, who.Name)
	if err != nil {
		return nil, err
	}
	days, err := m.Ledger.UsageOf(ctx, who.Name, time.Now().Add(-29*24*time.Hour), "day", "model", "project")
	if err != nil {
		return nil, err
	}
	own := &Own{
		Member: who.Name, DayMicros: spent.Daily, WeekMicros: spent.Weekly, MonthMicros: spent.Monthly, Calendar: calendarOf(m), Budgets: budgetsOf(m, who),
		Days: days, AsOf: admin.HeardOf(m.Ledger, who), Requests: []OwnRequest{},
	}
	if who.Group != nil {
		own.Group = who.Group.Name
	}
	for _, r := range m.Recent.Find(recent.Query{Member: who.Name, Limit: maxRows}) {
		own.Requests = append(own.Requests, ownRequest(r))
	}
	return own, nil
}

func ownRequest(r recent.Row) OwnRequest {
	o := OwnRequest{
		RequestID: r.RequestID, Ended: r.Ended, Path: r.Path, Project: r.Project, RequestedModel: r.RequestedModel, Model: r.Model, Seller: r.Seller,
		Outcome: r.Outcome, HTTPStatus: r.HTTPStatus, Code: r.Code, Reason: r.Reason, Attempts: []OwnAttempt{},
		TimeToFirstByteMs: r.TimeToFirstByteMs, DurationMs: r.DurationMs, ExpenseMicros: r.ExpenseMicros, WastedMicros: r.WastedMicros,
		PromptTokens: r.PromptTokens, CompletionTokens: r.CompletionTokens, CacheReadTokens: r.CacheReadTokens,
	}
	for _, a := range r.Request.Attempts {
		o.Attempts = append(o.Attempts, OwnAttempt{a.Number, a.Seller, a.Kind, a.Status, a.Then, a.BeginMs, a.SentMs, a.KnownMs})
	}
	return o
}

// WriteOwn answers with what a member sees.
func WriteOwn(w http.ResponseWriter, own *Own) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "Authorization, X-Api-Key")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(own) // a browser that has left needs none
}

// budgetsOf is how the budgets stand that bound a member, the group's after the own ones. What is spent must have been asked for before.
func budgetsOf(m *market.Market, who *member.Member) []BudgetRow {
	rows := []BudgetRow{}
	for _, s := range admin.BudgetsOf(m.Ledger, who) {
		rows = append(rows, BudgetRow{s.Group, s.Period(), s.BudgetMicros, s.SpentMicros, s.HeldMicros, s.Renews})
	}
	return rows
}

// BudgetRow is how a budget stands, of a member or of the member's group.
type BudgetRow struct {
	Group       string       `json:"group,omitempty"`
	Period      string       `json:"period"` // daily, weekly or monthly
	LimitMicros money.Micros `json:"limitMicros"`
	SpentMicros money.Micros `json:"spentMicros"`
	HeldMicros  money.Micros `json:"heldMicros"`
	Renews      time.Time    `json:"renews"`
}
