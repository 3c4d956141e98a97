package routing

// SetPaused says which sellers, by id, get no requests. The map is not to be changed afterwards; tables see it in their candidates
// once they are told to Rebuild.
func (p *Pool) SetPaused(ids map[string]bool) { p.paused.Store(&ids) }

// Paused tells whether a seller gets no requests because an operator has paused it.
func (p *Pool) Paused(id string) bool {
	ids := p.paused.Load()
	return ids != nil && (*ids)[id]
}

// Off tells whether a seller gets no requests: it is paused, or the config excludes it.
func (t *Table) Off(id string) bool { return t.o.off(id) }

// Excluded tells whether the config excludes a seller.
func (t *Table) Excluded(id string) bool { return t.o.Excluded[id] }

func (o *TableOptions) off(id string) bool {
	return o.Excluded[id] || o.Pool != nil && o.Pool.Paused(id)
}

// Rebuild makes the index anew after sellers were paused or resumed.
func (t *Table) Rebuild() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.update(t.index.Load().doc)
}
