package page

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// The document runs its own script alone, and has nothing in it that could show a stranger's name as anything but text.
func TestDocument(t *testing.T) {
	for _, view := range []View{Operator, Member} {
		w := httptest.NewRecorder()
		Write(w, view)
		body, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
		if !strings.Contains(body, `<html lang="en" data-view="`+string(view)+`">`) {
			t.Errorf("the document is not the %s's", view)
		}
		for _, element := range []string{"script", "style"} {
			all := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(body, -1)
			if len(all) != 1 {
				t.Fatalf("%d elements %s", len(all), element)
			}
			sum := sha256.Sum256([]byte(all[0][1]))
			if want := element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
				t.Errorf("the policy has no %s: %s", want, policy)
			}
		}
		for _, part := range []string{"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("the policy has no %s: %s", part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("the policy lets in too much: %s", policy)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "cookie", "http://", "//cdn", "<iframe", " onclick=", ` style="`, "src="} {
			if strings.Contains(body, word) {
				t.Errorf("the document has %q in it", word)
			}
		}
	}
}

// What else begins as the page's path is not there.
func TestOperatorPath(t *testing.T) {
	for target, want := range map[string]int{"/tokenbuddy/": 200, "/tokenbuddy/?ledger=%2Fx": 200, "/tokenbuddy/none": 404, "/tokenbuddy/live/x": 404} {
		w := httptest.NewRecorder()
		if err := operator(w, httptest.NewRequest(http.MethodGet, target, nil)); err != nil || w.Code != want {
			t.Errorf("%s: %d, %v", target, w.Code, err)
		}
	}
	if err := live(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/tokenbuddy/live?member=ada", nil)); err == nil || !strings.Contains(err.Error(), "the query takes ledger") {
		t.Errorf("of a word that the page does not know: %v", err)
	}
	if err := operator(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, Path, nil)); err == nil {
		t.Error("it may be posted to")
	}
}
