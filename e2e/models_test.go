package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
)

// TestModels asks for the models in both shapes: what sellers and aliases offer and the member may use.
func TestModels(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("a", answerPlain, priced("gpt-5", "gpt-5-latest"), "vendor/model:free@v1", "shared")
	s.seller("b", answerPlain, "shared", "claude-x")
	s.seller("unpayable", answerPlain, "clawtip-only")
	s.lists[2].PaymentMethods = []string{"clawtip"}
	const aliases = "\t\tmodel_alias fast gpt-5\n\t\tmodel_alias team/free vendor/model:free@v1\n\t\tmodel_alias nowhere gone\n"
	s.open(aliases, aliases+"\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t\tmodels gpt-* shared\n\t\t}\n\t\tmember nobody {\n\t\t\tkey sk-nobody\n\t\t\tmodels x\n\t\t}\n")
	all := []string{"claude-x", "fast", "gpt-5", "gpt-5-latest", "shared", "team/free", "vendor/model:free@v1"}
	adas := []string{"fast", "gpt-5", "gpt-5-latest", "shared"}
	for _, row := range []struct {
		site int
		key  []string
		want []string
	}{
		{0, nil, all},
		{1, []string{"Authorization", "Bearer sk-ada-key"}, adas},
		{1, []string{"X-Api-Key", "sk-ada-key"}, adas},
		{1, []string{"X-Api-Key", "sk-nobody"}, nil},
	} {
		a := s.ask(row.site, "GET", "/v1/models", "", row.key...)
		if got := openAIModels(t, a); !slices.Equal(got, row.want) {
			t.Errorf("OpenAI's list is %q, want %q", got, row.want)
		}
		b := s.ask(row.site, "GET", "/v1/models?limit=1000", "", append([]string{"Anthropic-Version", "2023-06-01"}, row.key...)...)
		if got := anthropicModels(t, b); !slices.Equal(got, row.want) {
			t.Errorf("Anthropic's list is %q, want %q", got, row.want)
		}
	}
	for _, id := range all {
		for _, path := range []string{"/v1/models/" + id, "/v1/models/" + strings.ReplaceAll(id, "/", "%2F")} {
			a := s.ask(0, "GET", path, "")
			var m map[string]any
			if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.StatusCode != 200 || m["id"] != id || m["object"] != "model" {
				t.Errorf("GET %s: status %d: %s", path, a.StatusCode, a.body)
			}
			a = s.ask(0, "GET", path, "", "Anthropic-Version", "2023-06-01")
			m = nil
			if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.StatusCode != 200 || m["id"] != id || m["type"] != "model" || m["display_name"] == nil || m["created_at"] == nil {
				t.Errorf("GET %s for Anthropic: status %d: %s", path, a.StatusCode, a.body)
			}
		}
	}
	for _, id := range []string{"gone", "nowhere", "clawtip-only", "GPT-5", "model:free@v1", "vendor", "gpt-5/"} {
		assertRefused(t, id, s.ask(0, "GET", "/v1/models/"+id, ""), refusedNoModel, false)
		assertRefused(t, id, s.ask(0, "GET", "/v1/models/"+id, "", "Anthropic-Version", "1"), refusedNoModel, true)
	}
	if a := s.ask(1, "GET", "/v1/models/claude-x", "", "X-Api-Key", "sk-ada-key"); a.StatusCode/100 != 4 {
		t.Errorf("a model that the member may not use: status %d: %s", a.StatusCode, a.body)
	}
	for _, path := range []string{"/v1/models", "/v1/models/gpt-5"} {
		assertRefused(t, path, s.ask(1, "GET", path, ""), refusedKey, false)
		assertRefused(t, path, s.ask(1, "GET", path, "", "Anthropic-Version", "1"), refusedKey, true)
	}

	c := clients(t, "http://"+s.sites[1], "sk-ada-key")
	list, err := c.openai.Models.List(context.Background())
	if err != nil || len(list.Data) != len(adas) || list.Data[0].ID != adas[0] {
		t.Errorf("openai-go lists %v, %v", list, err)
	}
	model, err := c.openai.Models.Get(context.Background(), "gpt-5")
	if err != nil || model.ID != "gpt-5" {
		t.Errorf("openai-go gets %v, %v", model, err)
	}
	page, err := c.anthropic.Models.List(context.Background(), anthropic.ModelListParams{})
	if err != nil || len(page.Data) != len(adas) || page.Data[0].ID != adas[0] || page.HasMore {
		t.Errorf("anthropic-sdk-go lists %v, %v", page, err)
	}
	for _, row := range []struct {
		query anthropic.ModelListParams
		pages [][]string
	}{
		{anthropic.ModelListParams{Limit: anthropic.Int(3)}, [][]string{adas[:3], adas[3:]}},
		{anthropic.ModelListParams{Limit: anthropic.Int(2), AfterID: anthropic.String("fast")}, [][]string{adas[1:3], adas[3:]}},
		{anthropic.ModelListParams{Limit: anthropic.Int(2), BeforeID: anthropic.String("shared")}, [][]string{adas[1:3], adas[:1]}},
		{anthropic.ModelListParams{AfterID: anthropic.String("gone since")}, [][]string{adas[1:]}}, // between fast and gpt-5
		{anthropic.ModelListParams{Limit: anthropic.Int(4)}, [][]string{adas}},
		{anthropic.ModelListParams{AfterID: anthropic.String("shared")}, [][]string{nil}},
	} {
		var pages [][]string
		page, err := c.anthropic.Models.List(t.Context(), row.query)
		for ; page != nil && err == nil && len(pages) < 9; page, err = page.GetNextPage() {
			var ids []string
			for _, m := range page.Data {
				ids = append(ids, m.ID)
			}
			pages = append(pages, ids)
		}
		if err != nil || !slices.EqualFunc(pages, row.pages, slices.Equal) {
			t.Errorf("anthropic-sdk-go lists %v in pages of %q, %v; want %q", row.query, pages, err, row.pages)
		}
	}
	if n := len(s.entries("")); n != 0 {
		t.Errorf("looking at models has made %d entries", n)
	}
}

func openAIModels(t *testing.T, a *answered) (ids []string) {
	var list struct {
		Object string
		Data   []struct {
			ID      string
			Object  string
			Created *int64
			Owner   *string `json:"owned_by"`
		}
	}
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.StatusCode != 200 || list.Object != "list" || list.Data == nil {
		t.Fatalf("status %d, %v: %s", a.StatusCode, err, a.body)
	}
	for _, m := range list.Data {
		if m.Object != "model" || m.Created == nil || m.Owner == nil {
			t.Errorf("not an OpenAI model: %+v", m)
		}
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids
}

func anthropicModels(t *testing.T, a *answered) (ids []string) {
	var list struct {
		Data []struct {
			ID, Type string
			Name     *string `json:"display_name"`
			Created  *string `json:"created_at"`
		}
		More  *bool   `json:"has_more"`
		First *string `json:"first_id"`
		Last  *string `json:"last_id"`
	}
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.StatusCode != 200 || list.More == nil || *list.More || list.Data == nil {
		t.Fatalf("status %d, %v: %s", a.StatusCode, err, a.body)
	}
	for _, m := range list.Data {
		if m.Type != "model" || m.Name == nil || m.Created == nil {
			t.Errorf("not an Anthropic model: %+v", m)
		}
		ids = append(ids, m.ID)
	}
	if len(ids) > 0 && (list.First == nil || *list.First != ids[0] || list.Last == nil || *list.Last != ids[len(ids)-1]) {
		t.Errorf("first_id, last_id: %s", a.body)
	}
	slices.Sort(ids)
	return ids
}
