package dialect

import (
	"net/http"
	"slices"
	"strings"
)

// families are what the model APIs have below /v1/ beside what is served here, with all that is below them.
var families = map[string]bool{
	"images": true, "audio": true, "moderations": true, "files": true, "uploads": true, "batches": true, "realtime": true,
	"fine_tuning": true, "vector_stores": true, "assistants": true, "threads": true, "conversations": true, "rerank": true,
	"chat": true, "completions": true, "responses": true, messagesFamily: true, "embeddings": true,
}

// Families that are more than a name: one has a shape of its own, of the other a part is served.
const (
	messagesFamily = "messages"
	modelsFamily   = "models"
)

// familyOf is the first word of a path below /v1/.
func familyOf(plain string) string {
	family, _, _ := strings.Cut(strings.TrimPrefix(plain, "/v1/"), "/")
	return family
}

// Common tells whether a path that is Unserved may be another program's: it comes first, where the site has one.
func Common(path string) bool {
	plain, versioned := canonical(path)
	family := familyOf(plain)
	if versioned { // the SDKs ask for much more there, and so do other programs
		return !families[family] && family != modelsFamily && plain != KeyPath
	}
	return endpoints[plain] == nil
}

// below finds what a path would be, but for what stands before it, with a /v1 or in the place of one, as clients of some providers have it.
func below(plain string) *Endpoint {
	if endpoints[plain] != nil {
		return nil
	}
	for path, e := range endpoints {
		if strings.HasSuffix(plain, strings.TrimPrefix(path, "/v1")) {
			return e
		}
	}
	return nil
}

// belowModels tells whether a path is that of the list of models, but for what stands before it or for the /v1 itself, or with that /v1 of one of them.
func belowModels(plain string) bool {
	_, rest, ok := strings.Cut(plain, ModelsPath)
	return ok && (rest == "" || rest[0] == '/') || strings.HasSuffix(plain, "/"+modelsFamily)
}

// belowFamily is the family that a path is of, but for what stands before its /v1; empty: of none.
func belowFamily(plain string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(plain, "/v1"), "/v1/")
	if family, _, _ := strings.Cut(rest, "/"); families[family] {
		return family
	}
	return ""
}

// foreign are the paths of Ollama's own API, of Cohere's, and of the programs that serve models beside OpenAI's API (vLLM, llama.cpp, TGI), with
// what is asked for by GET.
var foreign = map[string]bool{
	"/api/chat": false, "/api/generate": false, "/api/embed": false, "/api/embeddings": false, "/api/show": false, "/api/tags": true, "/api/ps": true,
	"/api/version": true, "/v2/chat": false, "/v2/embed": false, "/v2/rerank": false,
	"/tokenize": false, "/detokenize": false, "/score": false, "/pooling": false, "/completion": false, "/infill": false, "/generate": false,
	"/generate_stream": false, "/embed": false,
}

// foreignRoots are what the paths of Gemini's own API and of Databricks' begin with.
var foreignRoots = []string{"/v1beta/", "/v1alpha/", "/upload/v1beta/", "/serving-endpoints/"}

// foreignBases are what the paths begin with of which OpenRouter's clients, Groq's, and tools that look how much is left on an account ask any, as
// canonical gives them.
var foreignBases = []string{"/v1/api/v1/", "/v1/openai/v1/", "/v1/dashboard/billing/"}

// belowBase tells whether a path is below one of them.
func belowBase(plain string) bool {
	return slices.ContainsFunc(foreignBases, func(base string) bool { return strings.HasPrefix(plain, base) })
}

// Foreign tells whether a path is one of an API that nobody here speaks: Gemini's, Vertex AI's, Azure's, Bedrock's, Databricks', SageMaker's, Ollama's or
// Cohere's own, or that of a program that serves models. Many of their clients send their key in another way, or have none.
func Foreign(path string) bool {
	if _, ok := foreign[path]; ok || foreignRoot(path) || strings.HasSuffix(path, "/invocations") {
		return true
	}
	if rest, ok := strings.CutPrefix(path, "/openai/deployments/"); ok { // Azure's: the deployment, and what is asked of it
		return strings.Contains(rest, "/")
	}
	if _, rest, ok := strings.Cut(path, "/publishers/"); ok { // Vertex AI's: whose model, which, and what is asked of it
		_, model, _ := strings.Cut(rest, "/models/")
		return strings.Contains(model, ":")
	}
	rest, ok := strings.CutPrefix(path, "/model/")
	act := strings.LastIndexByte(rest, '/') // what comes before may have slashes in it: a model's name as Amazon writes it
	return ok && act > 0 && bedrock[rest[act+1:]]
}

// foreignRoot tells whether a path is below one of the foreignRoots, and not one of OpenAI's API that the same provider has there.
func foreignRoot(path string) bool {
	for _, root := range foreignRoots {
		if rest, ok := strings.CutPrefix(path, root); ok {
			return rest != "" && !strings.HasPrefix(rest, "openai/") && below(path) == nil
		}
	}
	return false
}

var bedrock = map[string]bool{"converse": true, "converse-stream": true, "invoke": true, "invoke-with-response-stream": true}

// asksForeign tells whether such an API has the method there.
func asksForeign(method, path string) bool {
	if foreignRoot(path) {
		return method != http.MethodHead
	}
	gets := foreign[path]
	return Foreign(path) && (gets && method == http.MethodGet || !gets && method == http.MethodPost)
}

// Unserved refuses what belongs to the model APIs and is not served here: 404 where there is no such path, 405 for another
// method. It is false for what is served, and for what belongs to other handlers: OPTIONS, and every path that no model API has. Below /v1/ any path
// is taken for one of theirs: there are many of them, and new ones each month.
// A WebSocket on ResponsesPath is told before.
func Unserved(method, path string) (refusal *Refusal, shape Shape, ok bool) {
	if method == http.MethodOptions || len(path) < 2 {
		return nil, OpenAI, false
	}
	plain, versioned := canonical(path)
	family := familyOf(plain)
	shape = OpenAI
	if family == messagesFamily || belowFamily(plain) == messagesFamily {
		shape = Anthropic
	}
	if allowed := allow(path); allowed != nil {
		if slices.Contains(allowed, method) {
			return nil, shape, false
		}
		return methodNotAllowed(path, allowed), shape, true
	}
	ok = versioned && (family != "" || acts(method)) // a client that takes the base URL for the whole one has nothing after it
	if !ok {                                         // a client whose base URL lacks /v1 or has another path, or another program's path
		e := below(plain)
		if e != nil {
			shape = e.Shape
		}
		ok = method == http.MethodPost && (endpoints[plain] != nil || e != nil) || method == http.MethodGet && belowModels(plain) ||
			belowFamily(plain) != "" || belowBase(plain) || !versioned && families[family] && acts(method) || asksForeign(method, path)
	}
	if !ok {
		return nil, OpenAI, false
	}
	return notServed(path), shape, true
}

// acts tells whether a method does something, and is believed to have done it where the answer has nothing against it.
func acts(method string) bool { return method == http.MethodPost || method == http.MethodDelete }

// allow gives the methods of a path that is served, as it is spelled; nil where there is none.
func allow(path string) []string {
	if endpoints[path] != nil {
		return []string{http.MethodPost}
	}
	if path == KeyPath {
		return []string{http.MethodGet}
	}
	if rest, ok := strings.CutPrefix(path, ModelsPath); ok && (rest == "" || len(rest) > 1 && rest[0] == '/' && !strings.HasSuffix(rest, "/")) {
		return []string{http.MethodGet}
	}
	if _, part, ok := storedPath(path); ok {
		return storedMethods(part)
	}
	return nil
}

// canonical gives a path as it would be served: in small letters, with one /v1 before it and no slashes too many. versioned tells
// whether there was a /v1.
func canonical(path string) (plain string, versioned bool) {
	var parts []string
	for part := range strings.SplitSeq(strings.ToLower(path), "/") {
		if part != "" {
			parts = append(parts, part)
		}
	}
	for len(parts) > 0 && parts[0] == "v1" {
		parts, versioned = parts[1:], true
	}
	return "/v1/" + strings.Join(parts, "/"), versioned
}
