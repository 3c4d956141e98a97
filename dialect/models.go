package dialect

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

type openAIModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

type anthropicModel struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
}

type openAIModels struct {
	Object string        `json:"object"`
	Data   []openAIModel `json:"data"`
}

type anthropicModels struct {
	Data    []anthropicModel `json:"data"`
	HasMore bool             `json:"has_more"`
	FirstID *string          `json:"first_id"`
	LastID  *string          `json:"last_id"`
}

// asOpenAI and asAnthropic describe a model by its id, which is all that sellers say of one: when it was made is given as
// the beginning of time, which is how these APIs say that they do not know.
func asOpenAI(id string) openAIModel {
	return openAIModel{ID: id, Object: "model", OwnedBy: "tokenbuddy"}
}

func asAnthropic(id string) anthropicModel {
	return anthropicModel{Type: "model", ID: id, DisplayName: id, CreatedAt: "1970-01-01T00:00:00Z"}
}

// WriteModels answers with a list of models, which are sorted by their ids: for Anthropic's clients with the page of it that the query asks for, if
// it asks for one, for others with all.
func WriteModels(w http.ResponseWriter, s Shape, ids []string, query url.Values) {
	if s == Anthropic {
		ids, more := page(ids, query)
		list := anthropicModels{Data: make([]anthropicModel, 0, len(ids)), HasMore: more}
		for _, id := range ids {
			list.Data = append(list.Data, asAnthropic(id))
		}
		if len(ids) > 0 {
			list.FirstID, list.LastID = &ids[0], &ids[len(ids)-1]
		}
		writeJSON(w, list)
		return
	}
	list := openAIModels{Object: "list", Data: make([]openAIModel, 0, len(ids))}
	for _, id := range ids {
		list.Data = append(list.Data, asOpenAI(id))
	}
	writeJSON(w, list)
}

// page is the part of a sorted list that comes after an id, or before one, and is as long as its limit at most; more tells whether there are others
// on the same side. An id need not be in the list: it may have been when the page before was asked for.
func page(ids []string, query url.Values) (part []string, more bool) {
	after, before := query.Get("after_id"), query.Get("before_id")
	if after != "" {
		i, found := slices.BinarySearch(ids, after)
		if found {
			i++
		}
		ids = ids[i:]
	}
	if before != "" {
		i, _ := slices.BinarySearch(ids, before)
		ids = ids[:i]
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	switch {
	case err != nil || limit <= 0 || limit >= len(ids):
		return ids, false
	case before != "" && after == "":
		return ids[len(ids)-limit:], true
	}
	return ids[:limit], true
}

// WriteModel answers with one model.
func WriteModel(w http.ResponseWriter, s Shape, id string) {
	if s == Anthropic {
		writeJSON(w, asAnthropic(id))
		return
	}
	writeJSON(w, asOpenAI(id))
}
