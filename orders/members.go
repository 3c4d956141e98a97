package orders

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// What may be in the error of an order about a member.
var (
	ErrNoMember  = errors.New("there is no such member")
	ErrForbidden = errors.New("it can't be done")
)

// KeepKey is how long the old keys of a member are good after a rotation, where nobody says otherwise.
const KeepKey = 24 * time.Hour

// What is kept of one member at most.
const (
	maxKeys   = 16
	maxRaises = 16
)

// editTime is how long a change may take to become durable.
const editTime = 30 * time.Second

// newKey makes a member's key, and gives it as it is kept.
func newKey() (key string, kept ledger.KeptKey) {
	key = "tb-" + rand.Text()
	sum := sha256.Sum256([]byte(key))
	return key, ledger.KeptKey{SHA256: hex.EncodeToString(sum[:])}
}

// AddMember makes a member, and gives its key: that is kept nowhere.
func (o *Orders) AddMember(ctx context.Context, by Operator, name string, t MemberTerms) (key string, err error) {
	if err := member.CheckName(name); err != nil {
		return "", err
	}
	if name == "." || name == ".." || strings.Contains(name, "/") {
		return "", fmt.Errorf("%q is not a name for a member that is added at run time: it would stand in a path", name)
	}
	key, kept := newKey()
	return key, o.editAdded(ctx, by.about(name, "add"), func(is *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		switch {
		case is == nil:
			is = &ledger.Enrolled{Name: name}
		case is.Added:
			return nil, "", fmt.Errorf("%w: member %s is there already", ErrForbidden, name)
		}
		is.Added, is.Keys = true, []ledger.KeptKey{kept}
		note, err := o.put(is, t)
		return is, cmp.Or(note, "without bounds"), err
	})
}

// SetMember changes what is said of a member. What is so already is no change, and in no book.
func (o *Orders) SetMember(ctx context.Context, by Operator, name string, t MemberTerms) error {
	word := "set"
	if d := t.Disabled; d != nil && t == (MemberTerms{Disabled: d}) {
		if word = "enable"; *d {
			word = "disable"
		}
	}
	return o.editAdded(ctx, by.about(name, word), func(is *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		was := *is
		note, err := o.put(is, t)
		if err == nil && sameMember(&was, is) {
			err = errDone
		}
		return is, note, err
	})
}

// RotateMember gives a member a new key; those that it has are good for so long, and it says until when that is.
func (o *Orders) RotateMember(ctx context.Context, by Operator, name string, keep time.Duration) (key string, end time.Time, err error) {
	if keep < 0 {
		return "", end, errors.New("the time for which the old key is kept is below zero")
	}
	key, kept := newKey()
	now := time.Now().UTC()
	end = now.Add(keep).Truncate(time.Second)
	return key, end, o.editAdded(ctx, by.about(name, "rotate"), func(is *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		for i := range is.Keys {
			if u := is.Keys[i].Until; u.IsZero() || u.After(end) {
				is.Keys[i].Until = end
			}
		}
		is.Keys = slices.DeleteFunc(is.Keys, func(k ledger.KeptKey) bool { return !k.Until.After(now) })
		if len(is.Keys) >= maxKeys {
			return nil, "", fmt.Errorf("%w: member %s has %d keys that are still good: rotate with nothing kept, or wait", ErrForbidden, name, maxKeys)
		}
		is.Keys = append(is.Keys, kept)
		return is, "the old key is good until " + end.Format(time.RFC3339), nil
	})
}

// RemoveMember forgets a member. What it has spent stays in the books. It may be one that counts for nothing since a config has its
// name: else its keys would open again as soon as that names it no more. What was granted to the config's stays.
func (o *Orders) RemoveMember(ctx context.Context, by Operator, name string) error {
	configured := o.Configured(name)
	return o.edit(ctx, by.about(name, "remove"), func(is *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		const note = "its keys are forgotten"
		switch {
		case is != nil && is.Added && configured && len(is.Raises) > 0:
			return &ledger.Enrolled{Name: name, Raises: is.Raises}, note, nil
		case is != nil && is.Added:
			return nil, note, nil
		case configured:
			return nil, "", inCaddyfile(name)
		}
		return nil, "", fmt.Errorf("member %s: %w", name, ErrNoMember)
	})
}

// errDone ends an edit by which nothing would be another: it succeeds.
var errDone = errors.New("it is so already")

// RaiseMember raises the daily budget of a member, whoever has said it, until a time; zero: until the calendar's day is over. It gives
// that time. While a raise is in force it is not raised again under its reference, which may be empty: who has not heard the answer may order it again.
func (o *Orders) RaiseMember(ctx context.Context, by Operator, name string, amount money.Micros, until time.Time, reference string) (time.Time, error) {
	now := time.Now()
	if until.IsZero() {
		_, until, _ = o.ledger.Today()
	}
	until = until.UTC().Truncate(time.Second)
	switch who := o.raisable(name); {
	case amount <= 0:
		return until, errors.New("a budget is raised by more than nothing")
	case !until.After(now):
		return until, fmt.Errorf("%s is over: until a day is until it begins; with none said it is until today is over", until.Format(time.RFC3339))
	case who == nil:
		return until, fmt.Errorf("member %s: %w", name, ErrNoMember)
	case who.DailyBudget < 0:
		return until, fmt.Errorf("%w: member %s has no daily budget that could be raised", ErrForbidden, name)
	}
	return until, o.edit(ctx, by.about(name, "raise"), func(is *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		if is == nil {
			is = &ledger.Enrolled{Name: name}
		}
		is.Raises = slices.DeleteFunc(is.Raises, func(r ledger.Raise) bool { return !r.Until.After(now) })
		if i := slices.IndexFunc(is.Raises, func(r ledger.Raise) bool { return reference != "" && r.Reference == reference }); i >= 0 {
			if r := is.Raises[i]; r.AmountMicros != amount || !r.Until.Equal(until) {
				return nil, "", fmt.Errorf("%w: under that reference the budget of member %s is raised by $%s until %s", ErrForbidden, name, r.AmountMicros, r.Until.Format(time.RFC3339))
			}
			return is, "it is so already", errDone
		}
		if len(is.Raises) >= maxRaises {
			return nil, "", fmt.Errorf("%w: the budget of member %s is raised %d times already", ErrForbidden, name, maxRaises)
		}
		is.Raises = append(is.Raises, ledger.Raise{AmountMicros: amount, Until: until, Reference: reference})
		return is, fmt.Sprintf("daily budget $%s more until %s", amount, until.Format(time.RFC3339)), nil
	})
}

// raisable finds the member of a name whose budget may be raised: one that is known, or one whom only another module knows, where the
// config has a budget for such; nil: there is none.
func (o *Orders) raisable(name string) *member.Member {
	team := o.Team()
	if i := slices.IndexFunc(team, func(o *member.Member) bool { return o.Name == name }); i >= 0 {
		return team[i]
	}
	if who := o.Member(name); who != nil && who.DailyBudget >= 0 {
		return who
	}
	return nil
}

// memberEdit says what is to be kept of a member of whom so much is, nil for nothing, and how the books tell of it. errDone: it is so already.
type memberEdit func(was *ledger.Enrolled) (is *ledger.Enrolled, note string, err error)

// editAdded is edit for what concerns members that were added at run time alone. But for "add", the member must be one.
func (o *Orders) editAdded(ctx context.Context, order ledger.Order, change memberEdit) error {
	if o.Configured(order.Member) {
		return inCaddyfile(order.Member)
	}
	return o.edit(ctx, order, func(is *ledger.Enrolled) (*ledger.Enrolled, string, error) {
		if order.Order != "add" && (is == nil || !is.Added) {
			return nil, "", fmt.Errorf("member %s: %w", order.Member, ErrNoMember)
		}
		return change(is)
	})
}

func inCaddyfile(name string) error {
	return fmt.Errorf("%w: member %s is in the Caddyfile, which comes first: change it there and reload", ErrForbidden, name)
}

// edit changes what is kept of a member, durably, and has it act at once.
func (o *Orders) edit(ctx context.Context, order ledger.Order, change memberEdit) error {
	if err := o.ledger.Ready(); err != nil {
		return unkept(err)
	}
	// Who asks may go away: what is durable then acts all the same.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), editTime)
	defer stop()
	o.enrolling.Lock()
	defer o.enrolling.Unlock()
	err := o.carryOut(ctx, order, change)
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// carryOut gives the order to the fleet, where there is one, and keeps what has come of it here. Enrolling must be locked.
func (o *Orders) carryOut(ctx context.Context, order ledger.Order, change memberEdit) error {
	if o.sharing == nil {
		return o.keep(ctx, order, change)
	}
	is, note, err := o.noteMember(ctx, order, change)
	if err == nil || errors.Is(err, errDone) && o.lacks(order.Member, is) { // it was done elsewhere, a moment ago
		return o.keepMember(ctx, order, is, note)
	}
	return err
}

// lacks tells whether something else is kept of a member here than is to be.
func (o *Orders) lacks(name string, is *ledger.Enrolled) bool {
	kept, err := o.enrolled()
	return err == nil && !sameMember(kept[name], is)
}

// keepMember is keep for what a member is to be, which the fleet has.
func (o *Orders) keepMember(ctx context.Context, order ledger.Order, is *ledger.Enrolled, note string) error {
	return o.keep(ctx, order, func(*ledger.Enrolled) (*ledger.Enrolled, string, error) { return is, note, nil })
}

// keep changes what the ledger keeps of a member, and has it act. Enrolling must be locked.
func (o *Orders) keep(ctx context.Context, order ledger.Order, change memberEdit) error {
	var said string
	err := o.ledger.EditMember(ctx, order, func(was *ledger.Enrolled) (is *ledger.Enrolled, note string, err error) {
		is, said, err = change(was)
		return is, said, wrong(err)
	})
	switch {
	case errors.Is(err, ledger.ErrTooLarge):
		return err
	case err != nil:
		return told(err)
	}
	if err := o.loadRoster(); err != nil {
		return err
	}
	o.logger.Info("member.changed", zap.String("member", order.Member), zap.String("order", order.Order), zap.String("by", order.By), zap.String("from", order.From),
		zap.String("note", said))
	if o.memberChanged != nil {
		o.memberChanged(order.Member, order.Order, order.By, order.From)
	}
	return nil
}

// enrolled gives what the ledger keeps of members, by name.
func (o *Orders) enrolled() (map[string]*ledger.Enrolled, error) {
	all, err := o.ledger.Enrolled()
	if err != nil {
		return nil, err
	}
	by := make(map[string]*ledger.Enrolled, len(all))
	for i := range all {
		by[all[i].Name] = &all[i]
	}
	return by, nil
}
