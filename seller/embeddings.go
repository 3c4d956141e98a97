package seller

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
)

const (
	defaultDimensions = 256
	maxDimensions     = 4096
	maxInputs         = 2048
	maxNumbers        = 1 << 20 // in all vectors of an answer
)

// vectors says how embeddings are asked for.
type vectors struct {
	dimensions int
	base64     bool
}

func readEmbeddings(body []byte) (*request, *refusal) {
	var q struct {
		common
		Input          json.RawMessage `json:"input"`
		EncodingFormat string          `json:"encoding_format"`
		Dimensions     *int            `json:"dimensions"`
	}
	if refused := decode(body, &q); refused != nil {
		return nil, refused
	}
	req := &request{common: q.common, choices: 1}
	var refused *refusal
	if req.inputs, req.prompt, refused = readInputs("input", q.Input); refused != nil {
		return nil, refused
	}
	req.vectors = vectors{dimensions: defaultDimensions, base64: q.EncodingFormat == "base64"}
	if q.Dimensions != nil {
		req.vectors.dimensions = *q.Dimensions
	}
	switch {
	case q.EncodingFormat != "" && q.EncodingFormat != "float" && q.EncodingFormat != "base64":
		return nil, invalid("encoding_format", "must be float or base64")
	case req.vectors.dimensions < 1 || req.vectors.dimensions > maxDimensions:
		return nil, invalid("dimensions", "must be from 1 to 4096")
	case len(req.inputs)*req.vectors.dimensions > maxNumbers:
		return nil, invalid("input", "inputs times dimensions must be at most 1,048,576")
	}
	return req, nil
}

// readInputs reads texts that are given alone or as a list, as text or as numbers of tokens.
func readInputs(param string, raw json.RawMessage) (texts []string, prompt []block, refused *refusal) {
	wrong := invalid(param, "expected a text, a list of at most 2,048 texts, or the same as numbers of tokens")
	add := func(raw json.RawMessage) bool {
		var s string
		if json.Unmarshal(raw, &s) == nil && string(raw) != "null" {
			texts, prompt = append(texts, s), append(prompt, newBlock(string(raw), s, 0))
			return true
		}
		var tokens []int64
		if json.Unmarshal(raw, &tokens) != nil || len(tokens) == 0 {
			return false
		}
		texts, prompt = append(texts, string(raw)), append(prompt, block{raw: string(raw), tokens: int64(len(tokens))})
		return true
	}
	if len(raw) == 0 {
		return nil, nil, wrong
	}
	if add(raw) {
		return texts, prompt, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 || len(list) > maxInputs {
		return nil, nil, wrong
	}
	for _, one := range list {
		if !add(one) {
			return nil, nil, wrong
		}
	}
	return texts, prompt, nil
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32, or base64 of them in little endian
}

func embeddingsWhole(a *answer) any {
	data := make([]embedding, len(a.inputs))
	for i, input := range a.inputs {
		v := embed(a.model, input, a.vectors.dimensions)
		data[i] = embedding{Object: "embedding", Index: i, Embedding: v}
		if a.vectors.base64 {
			b := make([]byte, 0, 4*len(v))
			for _, x := range v {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			}
			data[i].Embedding = base64.StdEncoding.EncodeToString(b)
		}
	}
	return fields{
		"object": "list", "model": a.model, "data": data,
		"usage": fields{"prompt_tokens": a.usage.Prompt, "total_tokens": a.usage.Prompt},
	}
}

// embed gives the unit vector of a text: always the same one, and near to that of no other text.
func embed(model, input string, dimensions int) []float32 {
	random := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(model + "\x00" + input))))
	v, square := make([]float64, dimensions), 0.0
	for i := range v {
		v[i] = 2*random.Float64() - 1
		square += v[i] * v[i]
	}
	unit := make([]float32, dimensions)
	for i := range v {
		unit[i] = float32(v[i] / math.Sqrt(square))
	}
	return unit
}
