package market

import "slices"

// HoldSecrets has RefusedSecrets know what is wrong with the files of a config's secrets, as it was told last (empty: nothing is), until
// release is called.
func (m *Market) HoldSecrets() (tell func(fault string), release func()) {
	held := new(string)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secrets = append(m.secrets, held)
	tell = func(fault string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		*held = fault
	}
	return tell, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.secrets = slices.DeleteFunc(m.secrets, func(o *string) bool { return o == held })
	}
}

// RefusedSecrets says what is wrong with the files of the running configs' secrets, in order. No secret is in it.
func (m *Market) RefusedSecrets() (faults []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, fault := range m.secrets {
		if *fault != "" {
			faults = append(faults, *fault)
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}
