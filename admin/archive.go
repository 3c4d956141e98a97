package admin

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// archives lists the files that entries were moved into, oldest first, each with what is wrong with it.
func archives(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	all, err := m.Ledger.Archives(r.Context())
	if err != nil {
		return err
	}
	if all == nil {
		all = []ledger.ArchiveState{}
	}
	return answer(w, http.StatusOK, all)
}

// archive moves the entries of months that end before a time into files.
func archive(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	before, err := Clock{Now: time.Now(), Zone: time.UTC}.Parse(values.Get("before")) // months are of UTC
	if err != nil {
		return bad("before is %w", err)
	}
	if before.IsZero() {
		return bad("before is missing: a day such as 2026-01-01")
	}
	to := values.Get("to")
	if to != "" && !filepath.IsAbs(to) {
		return bad("to is the absolute path of a directory")
	}
	return read(w, r, func(progress ledger.Progress) (int, any, error) {
		done, err := m.Ledger.Archive(r.Context(), before, to, progress)
		return http.StatusOK, done, err
	})
}

// ArchiveStatus is how it stands with the files that entries were moved into.
type ArchiveStatus struct {
	ledger.Archiving
	// Problems are what is wrong with files that are missing or were changed: exports and statements of their months fail.
	Problems []string `json:"problems,omitempty"`
}

// archiveStatus is nil where there is nothing to tell.
func archiveStatus(ctx context.Context, m *market.Market) *ArchiveStatus {
	s := &ArchiveStatus{Archiving: m.Ledger.Archiving()}
	if s.Archiving == (ledger.Archiving{}) {
		return nil
	}
	all, _ := m.Ledger.Archives(ctx) // where it fails, Ready says why
	for i := range all {
		if all[i].Problem != "" {
			s.Problems = append(s.Problems, all[i].Problem)
		}
	}
	return s
}
