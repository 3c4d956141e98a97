package gateway

import (
	"net/http"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

func isModels(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.URL.Path == dialect.ModelsPath || strings.HasPrefix(r.URL.Path, dialect.ModelsPath+"/"))
}

// models answers with what the sellers and aliases offer and the member may use: all of it, or one of it.
func (x *exchange) models() *dialect.Refusal {
	if refusal := x.identify(); refusal != nil {
		return refusal
	}
	index := x.gw.index(x.r.Context())
	allowed := func(id string) bool {
		served, ok := index.Resolve(id)
		return ok && x.member.Allows(served)
	}
	if id, ok := strings.CutPrefix(x.r.URL.Path, dialect.ModelsPath+"/"); ok {
		if !allowed(id) {
			return x.unknown(id)
		}
		dialect.WriteModel(x.w, x.shape, id)
		return nil
	}
	var ids []string
	for _, id := range index.Models() {
		if allowed(id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 && x.gw.undocumented() {
		return dialect.NoSeller(retryUndocumented) // that there are none would be a guess
	}
	dialect.WriteModels(x.w, x.shape, ids)
	return nil
}
