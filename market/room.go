package market

import (
	"maps"
	"sync"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// full are the ledgers that configs want and that are not open, as there is no room on their disk.
var full struct {
	mu     sync.Mutex
	ledger map[string]error // by directory, as Resolve gives it
}

// noteRoom notes how opening a ledger went.
func noteRoom(dir string, err error) {
	full.mu.Lock()
	defer full.mu.Unlock()
	delete(full.ledger, dir)
	if ledger.NoRoom(err) {
		if full.ledger == nil {
			full.ledger = make(map[string]error)
		}
		full.ledger[dir] = err
	}
}

// Full gives the ledgers that configs want and that are not open, as there is no room on their disk: by directory, why.
func Full() map[string]error {
	full.mu.Lock()
	defer full.mu.Unlock()
	return maps.Clone(full.ledger)
}

// Unwanted says that a config is gone that wanted a ledger. Where another still waits for it to open, that notes it again.
func Unwanted(dir string) {
	if resolved, err := Resolve(dir); err == nil {
		noteRoom(resolved, nil)
	}
}
