package dialect

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// maxModels is how many models a request may name beside its own.
const maxModels = 64

// models takes every model that is named in a member such as models or fallbacks: a string, the elements of a list, and in
// objects the members that are called after a model (LiteLLM, OpenRouter, Anthropic and Vercel each have a form of their own).
func (s *scanner) models(raw []byte) {
	var named func(raw []byte, levels int, is bool)
	named = func(raw []byte, levels int, is bool) {
		switch {
		case len(raw) == 0 || levels == 0:
		case raw[0] == '"' && is:
			s.names(raw)
		case raw[0] == '[':
			each(raw, func(value []byte) { named(value, levels-1, is) })
		case raw[0] == '{':
			n := 0
			walk(raw, func(_, _ []byte) { n++ })
			walk(raw, func(key, value []byte) {
				name, _ := fold(key)
				// LiteLLM writes {"a-model":["another"]}: whatever the name, the list is one of models.
				named(value, levels-1, namesModels(name) || n == 1 && value[0] == '[')
			})
		}
	}
	named(raw, 6, true)
}

// modelsOf takes the models that stand in a member that is called after them. LiteLLM's dictionaries say which takes the place of which.
func (s *scanner) modelsOf(name, raw []byte) {
	if raw[0] == '{' && bytes.HasSuffix(name, []byte("_fallback_dict")) {
		walk(raw, func(_, value []byte) { s.models(value) })
		return
	}
	s.models(raw)
}

// modelsIn takes the models that an object names among other things.
func (s *scanner) modelsIn(raw []byte, levels int) {
	if levels == 0 || len(raw) == 0 {
		return
	}
	switch raw[0] {
	case '[':
		each(raw, func(value []byte) { s.modelsIn(value, levels-1) })
	case '{':
		walk(raw, func(key, value []byte) {
			if name, _ := fold(key); namesModels(name) {
				s.modelsOf(name, value)
			} else {
				s.modelsIn(value, levels-1)
			}
		})
	}
}

// namesModels tells whether a member of this name, in small letters, says which models may serve.
func namesModels(name []byte) bool {
	switch string(name) {
	case "model", "models", "allowed_models", "model_id", "fallback", "fallbacks":
		return true
	}
	return bytes.HasPrefix(name, []byte("fallback_")) || bytes.HasSuffix(name, []byte("_fallbacks")) ||
		bytes.HasSuffix(name, []byte("_model")) || bytes.HasSuffix(name, []byte("_models")) || bytes.HasSuffix(name, []byte("_fallback_dict"))
}

// names takes the name of a model.
func (s *scanner) names(raw []byte) {
	name, ok := unquote(inner(raw))
	switch {
	case !ok || len(name) > maxModel:
		s.refuse("models", "names a model that is not valid Unicode, or longer than "+strconv.Itoa(maxModel)+" bytes.")
	case len(name) == 0 || string(name) == s.request.Model || slices.Contains(s.request.Models, string(name)):
	case len(s.request.Models) == maxModels:
		s.refuse("models", "names too many models: at most "+strconv.Itoa(maxModels)+" are taken.")
	default:
		s.request.Models = append(s.request.Models, string(name))
	}
}

// remote notes what a member that is not checked otherwise says of what is not in the body, and of models.
func (s *scanner) remote(name, value []byte) {
	key, _ := fold(name)
	if empty(value) {
		if value[0] == '{' && (string(key) == "web_search_options" || string(key) == "search_parameters") {
			s.facts.hosted++ // an object without a member asks for the search as it is by default
		}
		return
	}
	switch string(key) {
	case "":
	case "conversation":
		s.elsewhere()
	case "prompt":
		if s.endpoint.Protocol == Responses {
			s.elsewhere()
		}
	case "thread":
		if s.endpoint.Protocol == Messages {
			s.request.Thread = true
			s.request.PreviousResponseID = s.idIn("thread", "previous_message_id", value)
		}
	case "container":
		s.facts.remote = true
		if s.endpoint.Protocol != Messages {
			return
		}
		if value[0] == '{' {
			s.contained(s.idIn("container", "id", value))
		} else {
			s.contained(readable(value))
		}
	case "preset":
		s.facts.remote = true
	case "service_tier", "speed", "inference_geo", "provider":
		s.terms(string(key), value)
	case "web_search_options", "search_parameters", "enable_search":
		s.facts.hosted++
	case "multi_agent": // any number of agents at the server, each with a prompt of its own
		if string(member(value, "enabled")) != "false" {
			s.facts.hosted++
		}
	case "plugins":
		each(value, func([]byte) { s.facts.hosted++ })
		s.modelsIn(value, 3)
	case "extra_body", "provideroptions", "provider_options", "litellm_params":
		s.modelsIn(value, passedOn)
		s.termsIn(value, passedOn)
		s.hostedIn(value, passedOn)
		s.limitsIn(value)
		s.headersIn(value)
	case "extra_headers", "headers":
		s.request.Headers = true
	default:
		if namesModels(key) {
			s.modelsOf(key, value)
		}
	}
}

// passedOn is how deep what is passed on to a provider behind the one that is asked is looked at.
const passedOn = 4

// hostedIn notes the tools at the server that it asks for there.
func (s *scanner) hostedIn(raw []byte, levels int) {
	if levels == 0 || len(raw) == 0 || raw[0] != '{' {
		return
	}
	walk(raw, func(key, value []byte) {
		switch name, _ := fold(key); string(name) {
		case "web_search_options", "search_parameters", "enable_search", "multi_agent", "plugins":
			s.remote(key, value)
		case "mcp_servers":
			each(value, func([]byte) { s.facts.hosted++ })
		case "tools":
			each(value, s.toolIn)
		default:
			s.hostedIn(value, levels-1)
		}
	})
}

// toolIn notes a tool there that is no client's, however its type is spelled.
func (s *scanner) toolIn(tool []byte) {
	walk(tool, func(key, value []byte) {
		kind, _ := unquote(inner(value))
		if name, _ := fold(key); string(name) == "type" && len(kind) > 0 && !clientTool(kind) {
			s.facts.hosted++
		}
	})
}

// headersIn notes headers that stand in what is passed on.
func (s *scanner) headersIn(raw []byte) {
	walk(raw, func(key, value []byte) {
		if name, _ := fold(key); (string(name) == "extra_headers" || string(name) == "headers") && !empty(value) {
			s.request.Headers = true
		}
	})
}

// limitsIn takes the output limits and the numbers of answers that stand in what is passed on: a proxy puts them in the place of the request's.
func (s *scanner) limitsIn(raw []byte) {
	walk(raw, func(key, value []byte) {
		n, ok := money.Whole(value)
		if !ok {
			return
		}
		switch name, _ := fold(key); string(name) {
		case "max_tokens", "max_completion_tokens", "max_output_tokens":
			s.passedLimit = max(s.passedLimit, n)
		case "n", "best_of":
			s.bestOf = max(s.bestOf, n)
		}
	})
}

// contained takes the id of a container in which code is to run.
func (s *scanner) contained(id string) {
	switch r := s.request; {
	case id == "" || slices.Contains(r.Containers, id):
	case len(r.Containers) == maxContainers:
		s.refuse("container", "names too many containers: at most "+strconv.Itoa(maxContainers)+" are taken.")
	default:
		r.Containers = append(r.Containers, id)
	}
}

// maxContainers is how many containers a request may name, as each is looked up, and how many of an answer are taken.
const maxContainers = 8

func (s *scanner) elsewhere() {
	s.facts.elsewhere += elsewhereTokens
	s.facts.remote = true
}

// idIn takes the id that an object has of what the seller keeps, if it has one. What is no object is the seller's to refuse.
func (s *scanner) idIn(object, called string, value []byte) (id string) {
	if value[0] != '{' {
		return ""
	}
	found := false
	members(value, 0, func(key, at span) bool {
		switch name, _ := fold(key.of(value)); {
		case string(name) != called:
		case found:
			s.refuse(object, "has "+called+" twice (perhaps in another spelling). Send it once.")
		default:
			found = true
			id = s.text(object+"."+called, at.of(value))
		}
		return true
	})
	return id
}
