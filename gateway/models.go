package gateway

import (
	"net/http"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

func isModels(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.URL.Path == dialect.ModelsPath || len(r.URL.Path) > len(dialect.ModelsPath)+1 && strings.HasPrefix(r.URL.Path, dialect.ModelsPath+"/"))
}

// models answers with what the sellers and aliases offer and the member may use: all of it, or one of it.
func (rq *request) models(p *reply) *dialect.Refusal {
	if refusal := rq.identify(); refusal != nil {
		return refusal
	}
	index := rq.gw.indexFor(rq.r.Context(), "")
	allowed := func(id string) bool {
		served, ok := index.Resolve(id)
		return ok && rq.member.Allows(served)
	}
	if id, ok := strings.CutPrefix(rq.r.URL.Path, dialect.ModelsPath+"/"); ok {
		if !allowed(id) {
			return rq.gw.unknown(id)
		}
		dialect.WriteModel(p.w, rq.shape, id)
		return nil
	}
	var ids []string
	for _, id := range index.Models() {
		if allowed(id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 && (rq.gw.undocumented() || rq.gw.unlisted()) {
		return rq.gw.unknown("") // that there are none would be a guess
	}
	defer p.writing().done(p)
	dialect.WriteModels(p.w, rq.shape, ids, rq.r.URL.Query())
	return nil
}
