package orders

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// dead is a ledger that has stopped for good.
type dead struct{ *ledger.Ledger }

var errDead = errors.New("a commit has failed")

func (dead) Ready() error { return errDead }

func (dead) PauseSeller(context.Context, string, ledger.Order) error { return errDead }

func (dead) ResumeSeller(context.Context, string, ledger.Order) error { return errDead }

// half is a ledger that stops while an order is given.
type half struct{ *ledger.Ledger }

func (half) EditMember(context.Context, ledger.Order, func(*ledger.Enrolled) (*ledger.Enrolled, string, error)) error {
	return errDead
}

// late is a ledger that comes to an order when nobody waits for it any more.
type late struct{ *ledger.Ledger }

func (late) EditMember(_ context.Context, _ ledger.Order, edit func(*ledger.Enrolled) (*ledger.Enrolled, string, error)) error {
	_, _, _ = edit(nil)
	return context.DeadlineExceeded
}

// What the ledger finds wrong with an order later is not heard: the order could not be kept in time.
func TestUnkeptInTime(t *testing.T) {
	m, l := openOrders(t, filepath.Join(t.TempDir(), "books"))
	m.ledger = late{l}
	if err := m.RemoveMember(t.Context(), Operator{Name: "ops"}, "zoe"); !errors.Is(err, ErrUnkept) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// An order that is right and can't be kept is told from one that is wrong.
func TestUnkept(t *testing.T) {
	m, l := openOrders(t, filepath.Join(t.TempDir(), "books"))
	defer m.HoldTable(tableOf(t, m.pool, "acme", "acme"), noConfig(t))()
	ctx, by := t.Context(), Operator{Name: "ops"}
	if _, err := m.AddMember(ctx, by, "ada", MemberTerms{}); err != nil {
		t.Fatal(err)
	}
	none := t.TempDir()
	if err := os.MkdirAll(filepath.Join(none, selectionFile, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.dir = none
	all := map[string]func() error{
		"add": func() error {
			_, err := m.AddMember(ctx, by, "bob", MemberTerms{})
			return err
		},
		"rotate": func() error {
			_, _, err := m.RotateMember(ctx, by, "ada", 0)
			return err
		},
		"pause":  func() error { return m.Pause(ctx, by, "acme") },
		"resume": func() error { return m.Resume(ctx, by, "acme") },
		"remove": func() error { return m.RemoveMember(ctx, by, "ada") },
	}
	for name, keeps := range map[string]Ledger{"dead": dead{l}, "half": half{l}} {
		m.ledger = keeps
		for word, do := range all {
			if err := do(); (word == "pause" || word == "resume") != (name == "half") && (!errors.Is(err, ErrUnkept) || !errors.Is(err, errDead)) {
				t.Errorf("%s with a ledger that is %s: %v", word, name, err)
			}
		}
	}
	m.ledger = l
	for word, err := range map[string]error{"select": m.Select(Selection{Policy: "cheapest"}), "unselect": m.Unselect()} {
		if !errors.Is(err, ErrUnkept) || !errors.As(err, new(*os.PathError)) && !errors.As(err, new(*os.LinkError)) {
			t.Errorf("%s: %v", word, err)
		}
	}
	wrong := map[string]error{
		"policy": m.Select(Selection{Policy: "dearest"}), "seller": m.Pause(ctx, by, "nobody"), "member": m.RemoveMember(ctx, by, "zoe"),
	}
	_, wrong["name"] = m.AddMember(ctx, by, "a/b", MemberTerms{})
	_, wrong["glob"] = m.AddMember(ctx, by, "bea", MemberTerms{Models: new([]string{"a,b"})})
	_, wrong["budget"] = m.AddMember(ctx, by, "bea", MemberTerms{Daily: new(2 * money.USD), Weekly: new(money.USD)})
	_, wrong["amount"] = m.RaiseMember(ctx, by, "ada", -1, time.Time{}, "")
	for word, err := range wrong {
		if err == nil || errors.Is(err, ErrUnkept) {
			t.Errorf("a %s that is wrong: %v", word, err)
		}
	}
}
