package dialect

import "net/http"

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

// WriteModels answers with a list of models, in the order given and on one page.
func WriteModels(w http.ResponseWriter, s Shape, ids []string) {
	if s == Anthropic {
		list := anthropicModels{Data: make([]anthropicModel, 0, len(ids))}
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

// WriteModel answers with one model.
func WriteModel(w http.ResponseWriter, s Shape, id string) {
	if s == Anthropic {
		writeJSON(w, asAnthropic(id))
		return
	}
	writeJSON(w, asOpenAI(id))
}
