package market

import (
	"slices"
	"sync/atomic"
)

// HoldSecrets has RefusedSecrets know what is wrong with the files of a config's secrets, as it was told last (empty: nothing is), until
// release is called.
func (m *Market) HoldSecrets() (tell func(fault string), release func()) {
	held := new(atomic.Pointer[string])
	return func(fault string) { held.Store(&fault) }, m.secrets.hold(held)
}

// RefusedSecrets says what is wrong with the files of the running configs' secrets, in order. No secret is in it.
func (m *Market) RefusedSecrets() (faults []string) {
	for _, held := range m.secrets.now() {
		if fault := held.Load(); fault != nil && *fault != "" {
			faults = append(faults, *fault)
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}
