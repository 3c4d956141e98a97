package seller

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
	"github.com/tokenbuddy/caddy-tokenbuddy/guestload"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
)

// loadAcceptances makes the methods of the config: those that are named alone, then those with a block.
func (s *Seller) loadAcceptances(ctx caddy.Context) error {
	s.accepted = make(map[string]acceptance.Acceptance)
	for _, name := range s.Payment {
		if err := s.loadAcceptance(ctx, name, nil); err != nil {
			return err
		}
	}
	for _, name := range s.AnyInsecurely {
		if err := s.take(name, anyProof{}); err != nil {
			return err
		}
	}
	for _, raw := range s.AcceptancesRaw {
		var named struct {
			Method string `json:"method"`
		}
		if err := json.Unmarshal(raw, &named); err != nil {
			return fmt.Errorf("payment: %w", err)
		}
		if err := s.loadAcceptance(ctx, named.Method, raw); err != nil {
			return err
		}
	}
	s.AcceptancesRaw = nil
	return nil
}

// loadAcceptance loads a method in a context of its own. It may be somebody else's: where it panics or does not return, the config is refused.
func (s *Seller) loadAcceptance(ctx caddy.Context, guest string, raw json.RawMessage) error {
	type loaded struct {
		name   string
		method acceptance.Acceptance
	}
	own, cancel := caddy.NewContext(ctx)
	end := func() { s.endAcceptance(guest, cancel) }
	got, err := guestload.Load("payment "+guest, "loaded", func() (loaded, error) {
		name, method, err := acceptanceOf(own, guest, raw)
		return loaded{name, method}, err
	}, end)
	if err != nil {
		return err
	}
	s.ends = append(s.ends, end)
	return s.take(got.name, got.method)
}

func acceptanceOf(ctx caddy.Context, guest string, raw json.RawMessage) (name string, method acceptance.Acceptance, err error) {
	var mod any
	if raw == nil {
		mod, err = ctx.LoadModuleByID(acceptance.Namespace+"."+guest, nil)
	} else {
		one := struct {
			Raw json.RawMessage `caddy:"namespace=http.tokenbuddy.acceptance inline_key=method"`
		}{raw}
		mod, err = ctx.LoadModule(&one, "Raw")
	}
	if err != nil {
		return "", nil, fmt.Errorf("payment %s: %w", guest, err)
	}
	method, ok := mod.(acceptance.Acceptance)
	if !ok {
		return "", nil, fmt.Errorf("payment %s: module %T is no acceptance.Acceptance", guest, mod)
	}
	if named, ok := mod.(acceptance.Named); ok {
		return named.MethodName(), method, nil
	}
	return mod.(caddy.Module).CaddyModule().ID.Name(), method, nil
}

// endAcceptance cleans up a method, and does not wait for one that takes its time.
func (s *Seller) endAcceptance(guest string, cancel func()) {
	if out := guestcall.End(cancel); out.Fault != "" {
		s.logger.Error("seller.payment.misbehaved", zap.String("seller", s.ID), zap.String("method", guest), zap.String("step", "cleanup"),
			zap.String("fault", string(out.Fault)), zap.ByteString("stack", out.Stack))
	}
}

func (s *Seller) take(name string, method acceptance.Acceptance) error {
	if s.accepted[name] != nil {
		return fmt.Errorf("payment %s is there twice", name)
	}
	_, settles := method.(acceptance.Settler)
	_, keeps := method.(acceptance.Stateful)
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
