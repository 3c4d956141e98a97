package routing

import "time"

// Permit is the leave to send one request to a seller. Its End has to be called, whatever happens: a trial that never
// ends keeps the seller out. It is not for use by several goroutines at once.
type Permit struct {
	state     *State
	model     string
	begun     int64 // stamp
	seller    turn
	line      *line // of the model; nil: it was well when the request began
	lineTurn  turn
	ahead     bool // it was forced before its time
	committed bool
	ended     bool
	refused   bool
}

// Begin asks for leave to send a request for a model, by the seller's own id of it, now. It is refused while the circuit of the seller or of that model is
// open or the seller rests, except that the first one to come when a trial is due gets it. With force it is always granted:
// every candidate is unfit and this is the one nearest its trial. A forced request is the trial where none is under way;
// otherwise it goes along and closes nothing.
func (s *State) Begin(now time.Time, model string, force bool) (Permit, bool) {
	at := s.pool.stamp(now)
	p := Permit{state: s, model: model, begun: at}
	p.ahead = force && !s.fitAt(at, model)
	resting := s.resting(at)
	var ok bool
	if p.seller, ok = s.circuit.admit(at, resting, force); !ok {
		return Permit{}, false
	}
	if p.line = s.line(model); p.line != nil {
		if p.lineTurn, ok = p.line.admit(at, resting, force); !ok {
			s.circuit.giveBack(&p.seller)
			return Permit{}, false
		}
	}
	s.inFlight.Add(1)
	s.retries.begun(s.pool.second(at))
	return p, true
}

// trial tells whether this request decides over an open circuit, the seller's or the model's.
func (p *Permit) trial() bool { return p.seller.trial || p.lineTurn.trial }

// Commit says that content has come, firstContent after the request was sent: a trial need not wait for the end of a long
// stream. It may be left out. A break after it still counts when it comes.
func (p *Permit) Commit(now time.Time, firstContent time.Duration) {
	if p.state == nil || p.ended || p.committed {
		return
	}
	p.committed = true
	s, at := p.state, p.state.pool.stamp(now)
	s.latency.observe(firstContent)
	s.serves(at)
	if p.trial() {
		p.succeed(at, false)
	}
}

// succeed counts a good answer to the circuits of the seller and of the model, and tells where that closes one. As the twentieth
// outcome it may open the model's: half of them have failed by then.
func (p *Permit) succeed(at int64, committed bool) {
	s := p.state
	if s.circuit.succeed(&p.seller, committed) {
		s.pool.changed(s, "", "")
	}
	if p.line == nil {
		p.line = s.line(p.model) // it has failed since the request began
	}
	if p.line != nil {
		if p.line.succeed(&p.lineTurn, committed) {
			s.shut.Add(-1)
			s.pool.changed(s, p.model, "")
		} else if p.line.now().trips() != "" {
			s.lineOpened(p.model, p.line.weigh(s.pool, at, failure{life: p.lineTurn.life, counts: true}))
		}
		s.recovered(p.line)
	}
	s.servesOthers(p.model)
}

// End says what came of the request, when the answer has come to its end. The first call counts, others do nothing.
func (p *Permit) End(now time.Time, r Result) {
	if p.state == nil || p.ended {
		return
	}
	p.ended = true
	s, at := p.state, p.state.pool.stamp(now)
	s.inFlight.Add(-1)
	s.used.Store(at)
	p.refused = r.refusal()
	v := r.evidence()
	if r.Kind == Soft5xx || v == failed {
		s.latency.raise() // a quick failure is not a quick answer
	}
	if r.asksForRest() {
		s.restUntil(at + int64(min(r.RetryAfter, longestRest)))
	}
	switch v {
	case good:
		if !p.committed {
			s.latency.observe(r.FirstContent)
		}
		s.serves(at)
		if s.hard4xx.Load() != 0 {
			s.hard4xx.Store(0)
		}
		if s.failedProbe.Load() > 0 {
			s.failedProbe.Store(0) // an answer is better evidence than a probe
		}
		s.honest()
		if !p.committed || !p.trial() { // else it counted when it closed the circuit
			p.succeed(at, p.committed)
		}
	case failed:
		s.lastFail.Store(at)
		s.failing.observe(time.Duration(at - p.begun))
		p.fail(at, r.NoConnection)
	default:
		switch {
		case r.inDoubt():
			s.hard4xx.Add(1)
		case r.Kind == AuthInvalid, r.Kind == InsufficientFunds:
			s.refuses(at, r.Outcome)
		}
		if !p.committed {
			p.giveBack()
		}
	}
}

func (p *Permit) giveBack() {
	p.state.circuit.giveBack(&p.seller)
	if p.line != nil {
		p.line.giveBack(&p.lineTurn)
	}
}

// fail counts a failure: one of the connection is the seller's own, any other one the model's, and the seller's where several
// of its models fail.
func (p *Permit) fail(at int64, unreachable bool) {
	s := p.state
	if unreachable && s.lastSuccess.Load() <= p.begun { // a connection that was made since is better evidence
		if p.lineTurn.trial && !p.committed {
			p.line.fail(s.pool, &p.lineTurn, false, at, failure{unreachable: true})
		}
		if !p.ahead || p.seller.trial { // or one client's asking would keep the seller from the others
			s.opened(s.circuit.fail(s.pool, &p.seller, p.committed, at, failure{unreachable: true}))
		}
		return
	}
	several := p.findLine()
	if p.line != nil {
		s.lineOpened(p.model, p.line.fail(s.pool, &p.lineTurn, p.committed, at, failure{counts: true}))
	}
	s.opened(s.circuit.fail(s.pool, &p.seller, p.committed, at, failure{counts: several}))
}

// findLine finds the line of the model that has just failed, or begins it.
func (p *Permit) findLine() (several bool) {
	was := p.line
	p.line, several = p.state.failingLine(p.model)
	if was != nil && was != p.line { // it was dropped, or its place was taken
		p.lineTurn = turn{}
	}
	return several
}

// opened tells of the seller's circuit, which has opened if there is a reason.
func (s *State) opened(reason string) {
	if reason != "" {
		s.pool.changed(s, "", reason)
	}
}

// lineOpened is opened for the circuit of a model.
func (s *State) lineOpened(model, reason string) {
	if reason != "" {
		s.shut.Add(1)
		s.pool.changed(s, model, reason)
	}
}

// Blame says that the seller by has served the request that this one had refused (hard_4xx, auth_invalid or
// insufficient_funds): it was not the request, and not our account alone, so the refusal counts as a failure of the model
// after all; a 404 too, or a seller that says it to everything would be asked first for ever. It comes after End, once, and
// does nothing after any other result or where the same seller served in the end.
func (p *Permit) Blame(now time.Time, by *State) {
	if p.state == nil || !p.refused || p.state == by {
		return
	}
	p.refused = false
	s, at := p.state, p.state.pool.stamp(now)
	s.lastFail.Store(at)
	several := p.findLine()
	if p.line != nil {
		s.lineOpened(p.model, p.line.blame(s.pool, &p.lineTurn, at, true))
	}
	s.opened(s.circuit.blame(s.pool, &p.seller, at, several))
}

// Excuse says that another seller has refused the same request with hard_4xx too: the request is at fault, not the seller,
// whose count of them starts anew.
func (p *Permit) Excuse() {
	if p.state != nil {
		p.state.hard4xx.Store(0)
		p.refused = false
	}
}
