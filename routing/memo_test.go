package routing

// len counts what is remembered, expired or not.
func (m *memos[V]) len() (n int) {
	for i := range m.rows {
		for j := range m.rows[i] {
			if m.rows[i][j].Load() != nil {
				n++
			}
		}
	}
	return n
}
