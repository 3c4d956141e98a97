package seller

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
)

// loadAcceptances makes the methods of the config: those that are named alone, then those with a block.
func (s *Seller) loadAcceptances(ctx caddy.Context) error {
	s.accepted = make(map[string]acceptance.Acceptance)
	for _, name := range s.Payment {
		mod, err := ctx.LoadModuleByID(acceptance.Namespace+"."+name, nil)
		if err != nil {
			return fmt.Errorf("payment %s: %w", name, err)
		}
		if err := s.take(name, mod); err != nil {
			return err
		}
	}
	for _, name := range s.AnyInsecurely {
		if err := s.take(name, anyProof{}); err != nil {
			return err
		}
	}
	if s.AcceptancesRaw == nil {
		return nil
	}
	mods, err := ctx.LoadModule(s, "AcceptancesRaw")
	if err != nil {
		return fmt.Errorf("payment: %w", err)
	}
	for _, mod := range mods.([]any) {
		if err := s.take(mod.(caddy.Module).CaddyModule().ID.Name(), mod); err != nil {
			return err
		}
	}
	return nil
}

func (s *Seller) take(name string, mod any) error {
	method, ok := mod.(acceptance.Acceptance)
	if !ok {
		return fmt.Errorf("payment %s: module %T is no acceptance.Acceptance", name, mod)
	}
	if named, ok := mod.(acceptance.Named); ok {
		name = named.MethodName()
	}
	if s.accepted[name] != nil {
		return fmt.Errorf("payment %s is there twice", name)
	}
	_, settles := mod.(acceptance.Settler)
	_, keeps := mod.(acceptance.Stateful)
	if (settles || keeps) && s.state == "" {
		return fmt.Errorf("payment %s: state is missing: a seller that is paid must not forget it when it stops", name)
	}
	s.accepted[name] = method
	s.methods = append(s.methods, name)
	return nil
}

// warnOfPayments tells of what works until it costs somebody money: to be paid before a proof is shown and to forget the order, and to have
// payments that are bound to an origin when it is the buyer who says which one.
func (s *Seller) warnOfPayments() {
	for _, name := range s.methods {
		method := s.accepted[name]
		warn := func(hint string) {
			s.logger.Warn("seller.payment.careless", zap.String("seller", s.ID), zap.String("method", name), zap.String("hint", hint))
		}
		if paidBefore(method) && s.state == "" {
			warn("without state the seller knows no order any more when it starts again: who has paid one gets nothing for it")
		}
		if _, settles := method.(acceptance.Settler); settles && s.url == "" {
			warn("without url it is the buyer who says at which origin it pays: where several sellers have one address to be paid at, one payment counts at each")
		}
	}
}

// paidBefore tells whether the money of a method moves before its proof is shown: then the proof of an order that is over counts as well.
func paidBefore(method acceptance.Acceptance) bool {
	switch method.(type) {
	case acceptance.Settler, *acceptance.Mock, anyProof:
		return false
	}
	return true
}
