package routing

import (
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"sync/atomic"
)

// line is one of a seller's models that has failed lately, with a circuit of its own: an aggregator that has lost one model
// serves the others as before. There is none for a model that is well, so that the good path asks for one pointer alone; it
// begins with the good answers that the seller remembers, as nobody counts a well model's own, and goes again after 20 in a row.
type line struct {
	model string
	circuit
	alone atomic.Bool // no other model of the seller has had a good answer since the circuit opened, for all that is known
}

// lines are a seller's, by model. They never change.
type lines map[string]*line

// severalModels stands for more than one in State.rowModel.
const severalModels = math.MaxUint32

// maxLines bounds the lines of one seller. Where all of them are open, what fails beside them is the seller's own.
const maxLines = 32

// line gives that of a model, nil while the model is well.
func (s *State) line(model string) *line {
	all := s.lines.Load()
	if all == nil {
		return nil
	}
	return (*all)[model]
}

// failingLine gives the line of a model that has just failed; nil where there are too many. several tells that the failure is one
// of several models': those of the seller's failures in a row are not of one model, or more than one has an open circuit.
func (s *State) failingLine(model string) (l *line, several bool) {
	s.circuit.mu.Lock()
	defer s.circuit.mu.Unlock()
	hash := min(uint32(maphash.String(seed, model)), severalModels-1)
	if s.circuit.now().inRow() == 0 {
		s.rowModel = hash
	} else if s.rowModel != hash {
		s.rowModel = severalModels
	}
	var all lines
	if old := s.lines.Load(); old != nil {
		all = *old
	}
	open := 0
	var spare *line
	for _, other := range all {
		switch h := other.now(); {
		case h.open():
			open++
		case spare == nil || h.failures() < spare.now().failures():
			spare = other
		}
	}
	several = s.rowModel == severalModels || open > 1
	if l = all[model]; l != nil {
		if !l.now().open() {
			l.alone.Store(true)
		}
		return l, several
	}
	if len(all) >= maxLines && spare == nil {
		return nil, true
	}
	grown := maps.Clone(all)
	if grown == nil {
		grown = make(lines, 1)
	}
	if len(all) >= maxLines {
		delete(grown, spare.model)
	}
	l = &line{model: model}
	l.history.Store(uint64(wellFor(s.circuit.now().good())))
	l.alone.Store(true)
	grown[model] = l
	s.lines.Store(&grown)
	return l, several
}

// recovered drops a line that has had nothing but good answers for long.
func (s *State) recovered(l *line) {
	if h := l.now(); h.open() || h.failures() > 0 || h.outcomes() < window {
		return
	}
	s.circuit.mu.Lock()
	defer s.circuit.mu.Unlock()
	old := s.lines.Load()
	if h := l.now(); h.open() || h.failures() > 0 || old == nil || (*old)[l.model] != l {
		return
	}
	if len(*old) == 1 {
		s.lines.Store(nil)
		return
	}
	left := maps.Clone(*old)
	delete(left, l.model)
	s.lines.Store(&left)
}

// openLines gives the models whose circuits are open, in order.
func (s *State) openLines() (models []string) {
	if all := s.lines.Load(); all != nil {
		for model, l := range *all {
			if l.now().open() {
				models = append(models, model)
			}
		}
		slices.Sort(models)
	}
	return models
}

// servesOthers notes that the seller has given a good answer for a model: where another one has its circuit open, that is not
// all there is to know of the seller.
func (s *State) servesOthers(model string) {
	all := s.lines.Load()
	if all == nil || s.shut.Load() == 0 {
		return
	}
	for other, l := range *all {
		if other != model && l.alone.Load() {
			l.alone.Store(false)
		}
	}
}

// ailing gives the circuit that tells how a seller does: its own, or where that is closed the one of a model that is all that
// is known of it, as no other has had a good answer since.
func (s *State) ailing() *circuit {
	if s.shut.Load() == 0 || s.circuit.now().open() {
		return &s.circuit
	}
	all := s.lines.Load()
	if all == nil {
		return &s.circuit
	}
	soonest := &s.circuit
	for _, l := range *all {
		if l.now().open() && l.alone.Load() && (soonest == &s.circuit || l.due.Load() < soonest.due.Load()) {
			soonest = &l.circuit
		}
	}
	return soonest
}
