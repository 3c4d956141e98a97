package dialect

import (
	"net/http"
	"slices"
	"strings"
)

// The parts of a stored response that have a path of their own.
const (
	cancelPath     = "/cancel"
	inputItemsPath = "/input_items"
)

// StoredResponse tells whether a request is about a response that a seller keeps, and about which: to get it (GET, with part
// empty), to delete it (DELETE), to cancel it (POST, /cancel), or to list what it was made of (GET, /input_items).
func StoredResponse(method, path string) (id, part string, ok bool) {
	id, part, ok = storedPath(path)
	if !ok {
		return "", "", false
	}
	if !slices.Contains(storedMethods(part), method) {
		return "", "", false
	}
	return id, part, true
}

// storedPath takes the path of a stored response apart.
func storedPath(path string) (id, part string, ok bool) {
	rest, ok := strings.CutPrefix(path, ResponsesPath+"/")
	if !ok || rest == "compact" || rest == "input_tokens" { // words of the API's, and no ids
		return "", "", false
	}
	id, part = rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		id, part = rest[:i], rest[i:]
	}
	if id == "" || len(id) > maxID || part != "" && part != cancelPath && part != inputItemsPath {
		return "", "", false
	}
	for i := range len(id) { // what an id may be made of goes into a URL
		c := id[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == ':' || c == '=' || c == '~' {
			continue
		}
		return "", "", false
	}
	return id, part, strings.Trim(id, ".") != ""
}

func storedMethods(part string) []string {
	switch part {
	case cancelPath:
		return []string{http.MethodPost}
	case inputItemsPath:
		return []string{http.MethodGet}
	}
	return []string{http.MethodGet, http.MethodDelete}
}
