package prewarm

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

// EnvModels is the environment variable that names the focus set where the config does not: models, separated by commas.
const EnvModels = "TB_BUYER_WARMUP_MODELS"

// Models gives the focus set of a config: the models that it names, else those of the environment variable's value. It may
// be empty.
func Models(configured []string, env string) []string {
	if len(configured) > 0 {
		return configured
	}
	var models []string
	for name := range strings.SplitSeq(env, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(models, name) {
			models = append(models, name)
		}
	}
	return models
}

const (
	topCount = 5                  // models
	topSpan  = 7 * 24 * time.Hour // in which their use counts
	topEvery = 10 * time.Minute   // how often they are looked up while the same models are in use
	topAgain = 2                  // sweeps in which they are looked up after that has changed: the ledger learns of a request at its end
	topTime  = 10 * time.Second   // which that may take
)

// topModels are the ledger's most used models, as they were last looked up.
type topModels struct {
	models []string
	at     time.Time
}

// mostUsed gives the ledger's most used models. On an error it gives those that were known before as well.
func (w *Warmer) mostUsed(now time.Time) ([]string, error) {
	if w.history == nil {
		return nil, nil
	}
	w.mu.Lock()
	top := w.top
	w.mu.Unlock()
	again := w.again.Load()
	if now.Equal(top.at) || len(top.models) > 0 && again == 0 && now.Sub(top.at) < topEvery {
		return top.models, nil // by another site in this sweep, or not long ago
	}
	ctx, cancel := context.WithTimeout(w.ctx, topTime)
	defer cancel()
	models, err := w.history.TopModels(ctx, now.Add(-topSpan), topCount)
	if err != nil {
		return top.models, err
	}
	w.mu.Lock()
	w.top = topModels{models, now}
	w.mu.Unlock()
	w.again.CompareAndSwap(again, max(again-1, 0))
	return models, nil
}

// usesChanged has the most used models looked up anew: others are in use than before.
func (w *Warmer) usesChanged() { w.again.Store(topAgain) }

// focus gives what the site keeps warm whether it is used or not.
func (s *Site) focus(now time.Time) (uses []use, err error) {
	models := s.o.Models
	if len(models) == 0 {
		models, err = s.warmer.mostUsed(now)
	}
	for _, name := range models {
		model, ok := s.o.Catalogue.Resolve(name)
		if !ok {
			continue
		}
		for _, p := range dialect.Protocols {
			if k := (use{model, p}); !slices.Contains(uses, k) {
				uses = append(uses, k)
			}
		}
	}
	return uses, err
}
