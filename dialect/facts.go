package dialect

import (
	"bytes"
	"strings"
)

// What of a prompt is not text, or not in the body, is taken to be at most, in tokens.
const (
	imageTokens     = 2_000   // an image, whatever its size
	documentBytes   = 16      // of a document, decoded, for a token
	audioBytes      = 256     // of audio, decoded, for a token
	elsewhereTokens = 32_000  // a file by URL or id, a stored prompt, a conversation, a hosted tool
	itemTokens      = 8_192   // an item of an earlier answer, by its id
	maxElsewhere    = 200_000 // all that stands elsewhere
)

// facts are what is noted of a request's values while they are passed: what they cost beside their text, and what they name.
//
// A place is known by the names that lead to it: messages and input have turns, a turn has content, which has parts, and a part
// says of what type it is. Base64 counts as what it is only where its place allows it; elsewhere, and where it is text after
// all, it counts by its size as text does, so that no text hides in it. What is spelled in another way than clients spell it
// (with escapes, say) counts by its size too.
type facts struct {
	mediaBytes  int64    // of the body, that are base64 and not text
	mediaTokens int64    // that these are
	elsewhere   int64    // tokens of what stands elsewhere
	remote      bool     // some of the prompt is not in the body
	sealed      bool     // there is something that only its maker can read
	tools       int64    // of all kinds
	hosted      int64    // tools that the server runs
	toolsets    int64    // of them, those that stand for an MCP server
	servers     int64    // MCP servers
	texts       int64    // in a list of prompts,
	lists       int64    // the lists in it,
	tokens      int64    // and the tokens that are written as numbers
	models      [][]byte // that tools name, with their quotes
	containers  [][]byte // in which tools of the responses API are to run code, with their quotes

	frames [factLevels]frame
	depth  int // of what is open; what is deeper than frames has no place
	key    []byte
	exact  bool // the key is spelled as clients spell it
	top    place
}

// factLevels is how deep places may be: in a tool's result there may be a document that has an image.
const factLevels = 16

// place is what a value is by where it stands.
type place uint8

const (
	nowhere     place = iota
	turnsPlace        // messages, or the items of an input
	turnPlace         // one of them
	partsPlace        // its content
	partPlace         // one part of it
	holderPlace       // what a part's data stands in: its source, its file
	toolsPlace
	toolPlace
	environmentPlace // where a tool's commands run
	serversPlace
	promptsPlace // a prompt, or a list of them
	tokensPlace  // one of them that is a list itself
)

// frame is an object or a list that is open.
type frame struct {
	place place
	owner int8 // holder: the level of its part
	kind  kind
	typed bool // it has said its type
	odd   bool // it has said it twice, or has a member in an odd spelling
	plain bool // part: its data is text, as it stands
	files int64
	urls  int64
	blob  blob
}

// kind is what a part or a tool says that it is.
type kind uint8

const (
	otherKind kind = iota
	imageKind
	documentKind
	audioKind
	itemKind // stands for an item of an earlier answer
	hostedKind
)

var partKinds = map[string]kind{
	"image_url": imageKind, "input_image": imageKind, "image": imageKind, "computer_screenshot": imageKind,
	"image_generation_call": imageKind,
	"file":                  documentKind, "input_file": documentKind, "document": documentKind, "container_upload": documentKind,
	"video_url": documentKind, "input_video": documentKind, "video": documentKind,
	"input_audio": audioKind, "audio": audioKind, "audio_url": audioKind,
	"item_reference": itemKind,
}

// clientTool tells whether a tool of this type is run by the client, so that all that comes of it is in a later request.
func clientTool(name []byte) bool {
	switch string(name) {
	case "function", "custom", "local_shell", "shell", "apply_patch", "namespace", "tool_search":
		return true
	}
	for _, prefix := range [...]string{"bash_", "text_editor_", "computer", "memory_", "tool_search_"} {
		if bytes.HasPrefix(name, []byte(prefix)) {
			return true
		}
	}
	return false
}

// begin takes the name of a member of the top level.
func (f *facts) begin(name []byte, a *api) {
	f.depth, f.key = 0, nil
	switch name, _ := fold(name); string(name) {
	case "":
		f.top = nowhere
	case a.prompts:
		f.top = promptsPlace
	case "messages", "input":
		f.top = turnsPlace
	case "tools":
		f.top = toolsPlace
	case "mcp_servers":
		f.top = serversPlace
	default:
		f.top = nowhere
	}
}

// place is that of the value that begins now; owner is the level of the part that it belongs to.
func (f *facts) place(object bool) (p place, owner int8) {
	if f.depth == 0 {
		return f.top, 0
	}
	if f.depth > factLevels {
		return nowhere, 0
	}
	level := int8(f.depth - 1)
	switch in := &f.frames[level]; in.place {
	case turnsPlace:
		return turnPlace, 0
	case partsPlace:
		return partPlace, 0
	case turnPlace, partPlace:
		switch string(f.key) {
		case "content", "output", "images", "reasoning_details", "thinking_blocks", "summary", "tool_calls", "extra_content", "google":
			if object {
				return partPlace, 0
			}
			return partsPlace, 0
		case "image_url", "source", "file", "input_audio", "video_url", "audio", "audio_url":
			return holderPlace, level
		}
	case holderPlace:
		if string(f.key) == "content" {
			return partsPlace, 0
		}
	case toolsPlace:
		return toolPlace, 0
	case toolPlace:
		if object && string(f.key) == "environment" {
			return environmentPlace, level
		}
	case serversPlace:
		f.servers++
	case promptsPlace:
		f.lists++
		return tokensPlace, 0
	}
	return nowhere, 0
}

// open is the beginning of an object or a list.
func (f *facts) open(object bool) {
	p, owner := f.place(object)
	if f.depth < factLevels {
		if p == holderPlace && !f.exact {
			f.frames[owner].odd = true
		}
		f.frames[f.depth] = frame{place: p, owner: owner}
		if p == toolPlace {
			f.tools++
		}
		if p == holderPlace && string(f.key) == "audio" {
			f.frames[f.depth].kind = audioKind
		}
	}
	f.depth++
	f.key = nil
}

func (f *facts) close() {
	if f.depth--; f.depth < factLevels {
		switch in := &f.frames[f.depth]; in.place {
		case turnPlace, partPlace:
			f.part(in)
		case toolPlace:
			if in.kind == hostedKind {
				f.hosted++
			}
		}
	}
	f.key = nil
}

// part counts what a part has, once it has closed: its type may stand last.
func (f *facts) part(p *frame) {
	media := p.blob.size > 0 && p.blob.media && !p.odd && !p.plain
	if p.files > 0 || p.kind != otherKind && p.urls > 0 {
		f.remote = true
	}
	switch p.kind {
	case imageKind:
		f.mediaTokens += imageTokens * (p.files + p.urls + min(p.blob.size, 1))
		if media {
			f.mediaBytes += p.blob.size
		}
		return
	case documentKind, audioKind:
		f.elsewhere += elsewhereTokens * (p.files + p.urls)
		if media {
			per := int64(documentBytes)
			if p.kind == audioKind {
				per = audioBytes
			}
			f.mediaBytes, f.mediaTokens = f.mediaBytes+p.blob.size, f.mediaTokens+(p.blob.decoded+per-1)/per
		}
		return
	case itemKind:
		f.elsewhere += itemTokens
		f.remote = true
	}
	f.elsewhere += elsewhereTokens * p.files
}

// name takes a key with its quotes, and what follows it up to the value.
func (f *facts) name(raw []byte) {
	f.key = nil
	if f.depth > 0 && f.depth <= factLevels && f.frames[f.depth-1].place != nowhere {
		f.key, f.exact = fold(raw[1 : 1+lastQuote(raw[1:])])
	}
}

// number is a value that is a number.
func (f *facts) number() {
	if f.depth > 0 && f.depth <= factLevels {
		if p := f.frames[f.depth-1].place; p == promptsPlace || p == tokensPlace {
			f.tokens++
		}
	}
}

// text takes a string with its quotes.
func (f *facts) text(raw []byte) {
	if f.depth == 0 || f.depth > factLevels {
		return
	}
	level := f.depth - 1
	switch in := &f.frames[level]; in.place {
	case promptsPlace:
		f.texts++
	case serversPlace:
		f.servers++
	case toolPlace:
		f.tool(in, inner(raw))
		switch string(f.key) {
		case "model":
			f.models = append(f.models, raw)
		case "container":
			f.containers = append(f.containers, raw)
		}
	case environmentPlace:
		f.environment(&f.frames[in.owner], raw)
	case turnPlace, partPlace:
		f.member(in, in, inner(raw))
	case holderPlace:
		f.member(&f.frames[in.owner], in, inner(raw))
	}
}

func (f *facts) tool(t *frame, value []byte) {
	if string(f.key) != "type" {
		return
	}
	if bytes.IndexByte(value, '\\') >= 0 {
		value, _ = unquote(value)
	}
	if !clientTool(value) {
		t.kind = hostedKind
		if bytes.HasPrefix(value, []byte("mcp_toolset")) {
			f.toolsets++
		}
	}
}

// environment takes a string of where the commands of a tool run: in a container they run at the server, whatever the tool's type.
func (f *facts) environment(t *frame, raw []byte) {
	switch string(f.key) {
	case "type":
		if strings.HasPrefix(readable(raw), "container") {
			t.kind = hostedKind
		}
	case "container_id":
		f.containers = append(f.containers, raw)
	}
}

// member takes a string of a part, or of what the part's data stands in.
func (f *facts) member(part, in *frame, value []byte) {
	switch string(f.key) {
	case "type":
		f.typeOf(part, in, value)
	case "encrypted_content", "signature", "thought_signature":
		f.sealed = f.sealed || len(value) > 0
	case "file_id", "file_url":
		part.files += min(int64(len(value)), 1)
	case "id":
		if in.place == holderPlace && in.kind == audioKind {
			part.files++ // what an earlier answer said aloud
		}
	case "url", "image_url", "video_url", "audio_url", "data", "file_data", "result":
		switch {
		case len(value) == 0:
		case string(f.key) == "data" || string(f.key) == "file_data" || string(f.key) == "result" || bytes.HasPrefix(value, []byte("data:")):
			if part.blob.size > 0 || !f.exact {
				part.odd = true
			}
			part.blob = newBlob(value)
		default:
			part.urls++
		}
	}
}

func (f *facts) typeOf(part, in *frame, value []byte) {
	if bytes.IndexByte(value, '\\') >= 0 {
		value, _ = unquote(value)
		part.odd = true
	}
	if in.place == holderPlace {
		if string(value) == "text" {
			part.plain = true
		}
		return
	}
	part.odd = part.odd || part.typed || !f.exact
	part.typed = true
	if k := partKinds[string(value)]; k != otherKind {
		part.kind = k
	}
	f.sealed = f.sealed || part.kind == itemKind || string(value) == "redacted_thinking" || string(value) == "reasoning.encrypted"
}

// promptTokens is the most that the prompt of a body of this size is taken to be.
func (f *facts) promptTokens(size int) int64 {
	text := (int64(size) - f.mediaBytes + 2) / 3
	return max(text, f.tokens) + f.mediaTokens + min(f.elsewhere+elsewhereTokens*f.hostedTools(), maxElsewhere)
}

func (f *facts) hostedTools() int64 { return f.hosted + max(0, f.servers-f.toolsets) }

// prompts is how many prompts there are in a list of them.
func (f *facts) prompts() int64 {
	n := f.texts + f.lists
	if f.tokens > 0 && f.lists == 0 {
		n++ // one, as the list of its tokens
	}
	return max(n, 1)
}
