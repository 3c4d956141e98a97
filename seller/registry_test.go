package seller

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// TestRegistryOfUnfitModels: a model whose id no gateway takes does not keep the seller's other models from being found, whether it is named
// by hand or comes from the upstream's list; and who has named it is told.
func TestRegistryOfUnfitModels(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	s := &Seller{ID: "acme", logger: zap.New(core), Models: []Model{
		{ID: "good", Aliases: []string{"fine", "b\ta\td"}, InputPrice: new(money.USD), OutputPrice: new(money.USD)}, {ID: "two\nlines"}, {ID: "no \xff UTF-8"}, {ID: "größe"},
	}}
	s.warnOfModels()
	if got := logs.FilterMessage("seller.model.unlisted").Len(); got != 3 {
		t.Errorf("told of %d: %v", got, logs.All())
	}
	found := func(s *Seller) string {
		t.Helper()
		w := httptest.NewRecorder()
		s.serveRegistry(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://acme.example/registry.json", nil))
		doc, _, err := routing.ParseDocument(w.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, seller := range doc.Sellers {
			for _, m := range seller.Models {
				ids = append(append(ids, m.ID), m.Aliases...)
			}
		}
		return strings.Join(ids, " ")
	}
	s.methods = []string{"mock"}
	if got := found(s); got != "good fine größe" {
		t.Errorf("by hand: a gateway finds %q", got)
	}

	u := newStandIn(t, "", "ours")
	u.instead = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		_, _ = w.Write([]byte(`{"data":[{"id":"good"},{"id":"two\nlines"},{"id":"\u0085"},{"id":"größe"}]}`))
		return true
	}
	up := resold(t, u, "no_key\nprice * 1 2")
	if got := found(up); got != "good größe" {
		t.Errorf("of a list: a gateway finds %q", got)
	}
}
