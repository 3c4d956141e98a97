package market

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// sharedRegistry is a registry that runs for as long as some config uses it.
type sharedRegistry struct {
	*routing.Registry
	file  string // of its last good document
	users int
	ctx   context.Context
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// Registry gives the running registry for these options, shared by all configs that ask for the same. Its last good
// document is kept in the ledger's directory. One that runs already is read anew in the background: a reload is how operators
// say that something has changed.
func (m *Market) Registry(o routing.RegistryOptions) (r *routing.Registry, release func(), err error) {
	key := fmt.Sprintf("%s %s %s %d", o.URL, o.Refresh, o.Timeout, o.MaxSize)
	m.mu.Lock()
	defer m.mu.Unlock()
	shared := m.registries[key]
	if shared == nil {
		url := sha256.Sum256([]byte(o.URL))
		file := filepath.Join(m.dir, fmt.Sprintf("registry-%x.json", url[:8]))
		o.Cache = routing.FileCache(file)
		o.Logger = m.logger.Named("registry")
		o.Transport = m.carrier.Operator() // the registry's URL is the operator's word
		registry, err := routing.NewRegistry(o)
		if err != nil {
			return nil, nil, err
		}
		shared = run(registry)
		shared.file = file
		m.registries[key] = shared
	} else {
		shared.ended.Go(func() { _ = shared.Refresh(shared.ctx) }) // it logs for itself
	}
	shared.users++
	return shared.Registry, func() {
		m.mu.Lock()
		shared.users--
		last := shared.users == 0
		if last {
			delete(m.registries, key)
		}
		m.mu.Unlock()
		if last {
			shared.stop()
			shared.ended.Wait()
		}
	}, nil
}

func run(r *routing.Registry) *sharedRegistry {
	ctx, stop := context.WithCancel(context.Background())
	shared := &sharedRegistry{Registry: r, ctx: ctx, stop: stop}
	shared.ended.Go(func() { shared.Run(ctx) })
	return shared
}

// inUse gives the registries that run, in the order of their URLs.
func (m *Market) inUse() []*sharedRegistry {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*sharedRegistry, 0, len(m.registries))
	for _, key := range slices.Sorted(maps.Keys(m.registries)) {
		all = append(all, m.registries[key])
	}
	return all
}

// Registries gives the status of every registry in use.
func (m *Market) Registries() []routing.RegistryStatus {
	var all []routing.RegistryStatus
	for _, r := range m.inUse() {
		all = append(all, r.Status())
	}
	return all
}

// Refresh reads every registry in use now, beside its schedule, and waits until all configs know what it says. The error tells
// which can't be read; what they said before holds.
func (m *Market) Refresh(ctx context.Context) error {
	var errs []error
	for _, r := range m.inUse() {
		errs = append(errs, r.Refresh(ctx))
	}
	return errors.Join(errs...)
}
