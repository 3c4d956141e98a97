package admin

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// TestPresetsAreWhole compares the kinds that have series from the start with those that their owners declare.
func TestPresetsAreWhole(t *testing.T) {
	for _, row := range []struct {
		file, kind string
		preset     []string
	}{
		{"../routing/outcome.go", "Kind", failures},
		{"../purchase/errors.go", "Lack", lacks},
		{"../ledger/inference.go", "Status", ends},
		{"../dialect/dialect.go", "Protocol", protocols},
	} {
		declared := constants(t, row.file, row.kind)
		if len(declared) < 3 {
			t.Errorf("%s declares %d of type %s", row.file, len(declared), row.kind)
		}
		for _, value := range declared {
			if !slices.Contains(row.preset, value) {
				t.Errorf("%s %q has no series from the start", row.kind, value)
			}
		}
	}
	source, err := os.ReadFile("../dialect/refusals.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`Code: "([a-z_]+)"`).FindAllSubmatch(source, -1) {
		if !slices.Contains(codes, string(m[1])) {
			t.Errorf("the code %q has no series from the start", m[1])
		}
	}
}

// constants gives the values of the string constants of a type that a file declares.
func constants(t *testing.T, file, kind string) (values []string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typed, ok := spec.Type.(*ast.Ident); ok && typed.Name == kind {
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok {
					value, _ := strconv.Unquote(lit.Value)
					values = append(values, value)
				}
			}
		}
		return true
	})
	return values
}
