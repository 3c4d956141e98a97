package admin

import (
	"io"
	"net/http"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// backup streams a backup of the ledger. One that can't be finished is aborted; it would not be taken for whole anyway, since
// it has a checksum at its end.
func backup(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/zstd")
	w.Header().Set("Content-Disposition", `attachment; filename="tokenbuddy.backup"`)
	out := &begun{Writer: w}
	err := m.Ledger.Backup(r.Context(), out)
	if err != nil && out.yes {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		w.Header().Del("Content-Disposition")
	}
	return err
}

// begun knows whether anything was written.
type begun struct {
	io.Writer
	yes bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.Writer.Write(p)
}
