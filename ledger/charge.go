package ledger

import (
	"errors"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// charge decides the cost, with what the books know of the settlement and the token.
func (b *batch) charge(in *Inference) billing.Charge {
	f := billing.Facts{
		Shape: in.Shape, Price: in.Price, Own: in.TokenID == "",
		Answered: in.Answered, Whole: in.whole(), Usage: in.Usage, AnswerText: in.AnswerText, AnswerMedia: in.AnswerMedia,
	}
	var flags []string
	switch t := b.tokens[in.TokenID]; {
	case in.TokenID == "":
		f.Credit = money.Max
	case t == nil:
		flags = append(flags, billing.FlagTokenGone)
	default:
		f.Credit, f.Guessed = t.BalanceMicros, t.guessed()
		f.Paid, f.Borne = t.PaidMicros, t.BorneMicros
		if t.Shared {
			f.Credit, f.Paid = t.most()
		}
	}
	if in.TokenID != "" && in.Settlement != nil {
		var aside []string
		f, aside = b.chooseSettlement(in, f)
		flags = append(flags, aside...)
	}
	if in.TokenID != "" && (f.Settlement == nil || !f.Covered && !f.Counts()) {
		f.Before = b.billedBefore(in)
	}
	c := billing.Bill(f)
	said := c.Flags
	c.Flags = nil
	for _, flag := range slices.Concat(in.Flags, flags, said) {
		if !slices.Contains(c.Flags, flag) { // one that can't be read and one that can't be true are left aside alike
			c.Flags = append(c.Flags, flag)
		}
	}
	return c
}

// chooseSettlement puts the settlement into the facts that counts, or the first one where none does, and gives the flags of
// those that are left aside for it.
func (b *batch) chooseSettlement(in *Inference, f billing.Facts) (billing.Facts, []string) {
	with := func(s *wire.Settlement) billing.Facts {
		f := f
		if t := b.tokens[in.TokenID]; t != nil && !t.Shared && s.BilledMicros != nil {
			f.Returned = t.returned(*s.BilledMicros)
		}
		if f.Settlement = s; s.SettlementID != "" {
			f.Replayed, f.Covered = b.replay(settlementKey(in.Seller, in.Origin, s.SettlementID), in.IdempotencyKey)
		}
		return f
	}
	first := with(in.Settlement)
	if first.Covered || first.Counts() {
		return first, nil
	}
	for _, s := range in.OtherSettlements {
		if other := with(s); other.Counts() {
			if first.Replayed {
				return other, []string{billing.FlagSettlementReplayed}
			}
			return other, []string{billing.FlagSettlementRefused}
		}
	}
	return first, nil
}

// replay tells whether the settlement of that key is booked, and whether by an entry of the same idempotency key.
func (b *batch) replay(key, idempotencyKey string) (replayed, covered bool) {
	var seq uint64
	replayed, err := b.getJSON(key, &seq)
	if err != nil || !replayed {
		b.note(err)
		return replayed, false
	}
	raw, err := b.txn.Numbered(string(b.keys), seq)
	if errors.Is(err, badger.ErrKeyNotFound) { // it is in an archive file
		if s, err := readStub(b.get(string(stubKey(seq)))); err == nil {
			return true, s.covers(idempotencyKey)
		}
	}
	var e *Entry
	if err == nil {
		e, err = decodeEntry(raw)
	}
	if err != nil {
		b.note(&entryError{seq, "", "it books a settlement, and can't be read"})
		return true, false
	}
	return true, idempotencyKey != "" && e.idempotencyKey() == idempotencyKey
}
