// Package page is what a browser shows of a gateway: one document, with nothing in it from elsewhere, that is filled in from what the admin
// endpoint tells an operator, or the site a member.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strconv"
)

//go:embed page.html
var document []byte

// View is whose page it is.
type View string

// The views. What a member sees is the member's own: by a key that is asked for, or without one where the site knows who it is.
const (
	Operator View = "operator"
	Member   View = "member"
	Known    View = "known"
)

var (
	views = map[View][]byte{Operator: of(Operator), Member: of(Member), Known: of(Known)}
	// policy lets the document's own style and script run, which it names by their hashes, and ask the origin that it comes from.
	// Nothing else is loaded, run, framed or sent anywhere.
	policy = "default-src 'none'; connect-src 'self'; script-src " + hashOf("script") + "; style-src " + hashOf("style") + "; img-src data:" +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

// of is the document as a view's.
func of(v View) []byte {
	return bytes.Replace(document, []byte(`data-view=""`), []byte(`data-view="`+v+`"`), 1)
}

// hashOf is how a policy names the document's one element of that name.
func hashOf(element string) string {
	_, rest, _ := bytes.Cut(document, []byte("<"+element+">"))
	text, _, _ := bytes.Cut(rest, []byte("</"+element+">"))
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Write answers with a view's document.
func Write(w http.ResponseWriter, v View) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(views[v])))
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// The admin endpoint goes by the Referer where a browser sends no Origin: it is for this origin alone.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	_, _ = w.Write(views[v]) // a browser that has left needs none
}
