// Package orders holds what operators say at run time, of members, of sellers and of the selection: it keeps that over a restart, has it act on
// the running configs, which join it, and in a fleet gives it to all gateways and takes theirs. An order is of who gives it, and from where; what one
// does to a member or a seller is in the ledger's books.
package orders

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Ledger is where orders about members and sellers are kept, and booked.
type Ledger interface {
	// Ready tells why nothing can be kept; nil: it can.
	Ready() error
	// Today gives the calendar's day.
	Today() (begins, ends time.Time, zone *time.Location)
	Enrolled() ([]ledger.Enrolled, error)
	EditMember(ctx context.Context, o ledger.Order, edit func(*ledger.Enrolled) (is *ledger.Enrolled, note string, err error)) error
	PausedSellers() (map[string]time.Time, error)
	PauseSeller(ctx context.Context, seller string, by ledger.Order) error
	ResumeSeller(ctx context.Context, seller string, by ledger.Order) error
}

// Options say what orders act on, and where they are kept.
type Options struct {
	Ledger Ledger
	// Dir is where the selection is kept: the ledger's directory.
	Dir string
	// Pool is what is known of the sellers. It hears which are paused.
	Pool *routing.Pool
	// Store is what a fleet shares; nil: there is none.
	Store  fleet.Store
	Logger *zap.Logger
	// MemberChanged, where set, is told of each change of a member: what was done, who has, and from where. It must not block.
	MemberChanged func(member, change, by, from string)
}

// Operator is who gives an order, and from where.
type Operator struct{ Name, From string }

func (o Operator) order() ledger.Order { return ledger.Order{By: o.Name, From: o.From} }

// about is the operator's order about a member, of which the word says what is done.
func (o Operator) about(member, word string) ledger.Order {
	return ledger.Order{Order: word, By: o.Name, From: o.From, Member: member}
}

// Orders are what holds now of what operators have said.
type Orders struct {
	ledger        Ledger
	dir           string
	pool          *routing.Pool
	logger        *zap.Logger
	memberChanged func(member, change, by, from string) // may be nil
	sharing       *sharing                              // in the notes of a fleet; nil: there is none

	mu    sync.Mutex // protects the following fields, up to held
	teams []*team
	held  map[*routing.Table]*heldTable

	selecting sync.Mutex // held while the selection or a pause changes, and policies are loaded for it; taken before mu
	enrolling sync.Mutex // held while members are changed; taken before mu

	roster    atomic.Pointer[member.Roster] // what was said of members
	selection atomic.Pointer[Selection]     // over the configs' policies; nil: none
}

// New takes up what operators have said to earlier processes. What can't be read of it is said in the log, and keeps nobody from serving.
func New(opts Options) *Orders {
	o := &Orders{
		ledger: opts.Ledger, dir: opts.Dir, pool: opts.Pool, logger: opts.Logger, memberChanged: opts.MemberChanged,
		held: make(map[*routing.Table]*heldTable),
	}
	if opts.Store != nil {
		o.sharing = newSharing(opts.Store, opts.Logger)
	}
	o.loadSelection()
	if err := o.loadPaused(); err != nil {
		o.logger.Error("sellers.paused.unread", zap.Error(err)) // those that were paused get requests
	}
	o.teamChanged()
	return o
}
