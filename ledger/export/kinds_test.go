package export

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestKinds has each kind of account that the ledger has be one to each format, so that none of its money is left out of a row, or is nobody's in a journal.
func TestKinds(t *testing.T) {
	kinds := ledgerKinds(t)
	for _, kind := range kinds {
		if !slices.Contains(accountKinds[:], kind) || !slices.Contains(columns, kind+"Micros") {
			t.Errorf("%s has no column in the CSV", kind)
		}
		if beancountRoots[kind] == "" {
			t.Errorf("%s is none to Beancount", kind)
		}
		if hledgerRoots[kind] == "" {
			t.Errorf("%s is none to hledger", kind)
		}
	}
	if n := len(kinds); len(accountKinds) != n || len(beancountRoots) != n || len(hledgerRoots) != n {
		t.Errorf("of the ledger's %d kinds the CSV has %d, Beancount %d and hledger %d", n, len(accountKinds), len(beancountRoots), len(hledgerRoots))
	}
}

// ledgerKinds reads them where the ledger makes its accounts.
func ledgerKinds(t *testing.T) (kinds []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../account.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "names" {
			return true
		}
		kind, ok := call.Args[0].(*ast.BasicLit)
		if !ok {
			t.Fatal("an account's kind is no literal")
		}
		text, err := strconv.Unquote(kind.Value)
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, strings.TrimSuffix(text, ":"))
		return true
	})
	if len(kinds) < 8 {
		t.Fatalf("the ledger's kinds are read as %q", kinds)
	}
	return kinds
}
