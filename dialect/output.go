package dialect

import "maps"

// Output is what of an answer has been seen, by which its completion is estimated.
type Output struct {
	Text  int64 // bytes of text, decoded: content, reasoning, refusals, the arguments of tool calls; not the JSON around them
	Media int64 // tokens of images and audio
}

// Tokens is the estimate: a quarter of the text, and the media.
func (o Output) Tokens() int64 { return (o.Text+3)/4 + o.Media }

// said counts what stands in the values of one event or answer, by where it stands.
type said struct {
	text    int64
	thought [2]int64 // reasoning under one of two names: some sellers say it twice
	audio   int64    // bytes of base64
	images  int64
}

func (s *said) add(o said) {
	s.text += o.text
	s.thought[0] += o.thought[0]
	s.thought[1] += o.thought[1]
	s.audio += o.audio
	s.images += o.images
}

// hear counts bytes of a string.
func (s *said) hear(c count, n int64) {
	switch c {
	case countText:
		s.text += n
	case countThought0:
		s.thought[0] += n
	case countThought1:
		s.thought[1] += n
	case countAudio:
		s.audio += n
	}
}

func (s said) output() Output {
	return Output{
		Text:  s.text + max(s.thought[0], s.thought[1]),
		Media: (s.audio*3/4+audioBytes-1)/audioBytes + s.images*imageTokens,
	}
}

// count is a counter for a string value.
type count uint8

const (
	countNothing count = iota
	countText
	countThought0
	countThought1
	countAudio
	countImage
	countRaw // any value, as it stands
)

// telling says which values of an event or an answer are what it says: by path, and whether it is a piece of it, a whole item,
// or the whole answer up to there. Sellers say the same thing in pieces, again by item, and again at the end.
type telling struct {
	count count
	level level
}

type level uint8

const (
	inPieces level = iota
	inItems
	inWhole
	levels
)

// heard is what a stream or an answer has said in each of the three ways.
type heard [levels]said

// output is the most of the three.
func (h *heard) output() Output {
	most := h[inPieces].output()
	for _, s := range h[inItems:] {
		if o := s.output(); o.Tokens() > most.Tokens() {
			most = o
		}
	}
	return most
}

// take adds what one event has said.
func (h *heard) take(event *heard) {
	h[inPieces].add(event[inPieces])
	h[inItems].add(event[inItems])
	if event[inWhole].output().Tokens() > h[inWhole].output().Tokens() {
		h[inWhole] = event[inWhole]
	}
}

func tellings(prefix string, l level, counts map[string]count) map[string]telling {
	m := make(map[string]telling, len(counts))
	for path, c := range counts {
		m[prefix+path] = telling{c, l}
	}
	return m
}

// chatCounts are the members of a delta or a message of chat, itemCounts those of an item of the responses API, blockCounts
// those of a block of the messages API.
var (
	chatCounts = map[string]count{
		"content": countText, "content.text": countText, "content.refusal": countText, "content.thinking.text": countText,
		"refusal": countText, "reasoning": countThought0, "reasoning_content": countThought1,
		"tool_calls.function.name": countText, "tool_calls.function.arguments": countText, "tool_calls.custom.input": countText,
		"function_call.name": countText, "function_call.arguments": countText,
		"audio.data": countAudio, "audio.transcript": countText, "images.image_url.url": countImage,
	}
	itemCounts = map[string]count{
		"content.text": countText, "content.refusal": countText, "summary.text": countText, "name": countText, "arguments": countText,
		"input": countText, "code": countText, "result": countImage,
	}
	blockCounts = map[string]count{
		"text": countText, "thinking": countText, "name": countText, "input": countRaw,
	}
)

func join(parts ...map[string]telling) map[string]telling {
	all := make(map[string]telling)
	for _, m := range parts {
		maps.Copy(all, m)
	}
	return all
}

var (
	chunkTellings = join(
		tellings("choices.delta.", inPieces, chatCounts),
		tellings("choices.message.", inWhole, chatCounts),
		map[string]telling{"choices.text": {countText, inPieces}},
	)
	responseTellings = join(
		map[string]telling{"delta": {countText, inPieces}},
		tellings("item.", inItems, itemCounts),
		tellings("response.output.", inWhole, itemCounts),
	)
	messageTellings = join(
		tellings("content_block.", inPieces, blockCounts),
		map[string]telling{
			"delta.text": {countText, inPieces}, "delta.thinking": {countText, inPieces}, "delta.partial_json": {countText, inPieces},
		},
	)
	// answerTellings are those of answers that are no streams, in all the APIs: none has a path that is another's.
	answerTellings = join(
		tellings("choices.message.", inWhole, chatCounts),
		tellings("output.", inWhole, itemCounts),
		tellings("content.", inWhole, blockCounts),
		map[string]telling{"choices.text": {countText, inWhole}},
	)
)
