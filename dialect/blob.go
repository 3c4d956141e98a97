package dialect

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// blob is base64 that stands in a request: on its own, or as a data: URL.
type blob struct {
	size    int64 // of the body's bytes
	decoded int64 // at most
	media   bool  // it is what it says: it is base64, and what is encoded in it is no text
}

// newBlob looks at a string, without its quotes.
func newBlob(value []byte) blob {
	b := blob{size: int64(len(value))}
	data := value
	if rest, ok := bytes.CutPrefix(value, []byte("data:")); ok {
		comma := bytes.IndexByte(rest[:min(len(rest), 256)], ',')
		if comma < 0 || !bytes.HasSuffix(rest[:comma], []byte(";base64")) || textual(rest[:comma]) {
			return b
		}
		data = rest[comma+1:]
	}
	b.decoded = int64(len(data)) * 3 / 4
	b.media = len(data) > 0 && bytes.IndexByte(data, ' ') < 0 && !saysText(data)
	return b
}

// textual tells whether a media type is one of texts.
func textual(mediaType []byte) bool {
	if bytes.HasPrefix(mediaType, []byte("text/")) {
		return true
	}
	for _, word := range [...]string{"json", "xml", "html", "javascript", "csv", "yaml"} {
		if bytes.Contains(mediaType, []byte(word)) {
			return !bytes.Contains(mediaType, []byte("officedocument"))
		}
	}
	return false
}

// magics are how files begin that look like text there.
var magics = [...]string{"%PDF-", "GIF8", "RIFF", "OggS", "fLaC", "ID3", "PK\x03\x04", "BM"}

// saysText tells whether base64 is none, or whether what is encoded in it reads as text: at its beginning, in its middle or at
// its end, which is enough for whoever would hide text behind a few other bytes.
func saysText(data []byte) bool {
	const sample = 64 // 48 bytes
	var out [sample]byte
	middle, end := len(data)/2&^3, max(0, len(data)-sample)&^3
	for i, at := range [...]int{0, middle, end} {
		piece := data[at:min(len(data), at+sample)]
		piece = bytes.ReplaceAll(piece, []byte(`\/`), []byte("/")) // as PHP writes it
		piece = bytes.TrimRight(piece, `=\`)
		n, err := base64.RawStdEncoding.Decode(out[:], piece[:len(piece)&^3])
		if err != nil {
			if n, err = base64.RawURLEncoding.Decode(out[:], piece[:len(piece)&^3]); err != nil {
				// Lines may be broken (as \n), which shifts what is decoded, so only the beginning must decode.
				if i == 0 || bytes.IndexByte(piece, '\\') < 0 {
					return true
				}
				continue
			}
		}
		head := out[:n]
		if i == 0 {
			for _, magic := range magics {
				if bytes.HasPrefix(head, []byte(magic)) {
					return false
				}
			}
		}
		if n >= 3 && readable48(head) {
			return true
		}
	}
	return false
}

// readable48 tells whether decoded bytes are text. They may be cut within a character at either end.
func readable48(b []byte) bool {
	for i := 0; i < 3 && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:]
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			return !utf8.FullRune(b)
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f:
			return false
		}
		b = b[n:]
	}
	return true
}
