package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"
)

// mergeJSON puts an object into another one: members of objects one by one, elements with an id in the place of the one that
// has the same, everything else in the place of what was there.
func mergeJSON(more string) func([]byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if len(bytes.TrimSpace(old)) == 0 {
			return []byte(more), nil
		}
		had, err := readJSON(old)
		if err != nil {
			return nil, fmt.Errorf("it is no plain JSON object (%w): put into it by hand what connect prints", err)
		}
		wanted, err := readJSON([]byte(more))
		if err != nil {
			return nil, err
		}
		return writeJSON(merged(had, wanted))
	}
}

// readJSON keeps numbers as they are written.
func readJSON(text []byte) (object map[string]any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err = decoder.Decode(&object); err == nil && (object == nil || decoder.More()) {
		err = errors.New("not one object")
	}
	return object, err
}

func writeJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(v)
	return out.Bytes(), err
}

// merged is mergeJSON for a value.
func merged(old, more any) any {
	switch more := more.(type) {
	case map[string]any:
		old, ok := old.(map[string]any)
		if !ok {
			return more
		}
		for name, value := range more {
			old[name] = merged(old[name], value)
		}
		return old
	case []any:
		old, ok := old.([]any)
		if !ok {
			return more
		}
		for _, element := range more {
			if at := slices.IndexFunc(old, func(e any) bool { return idOf(e) != nil && idOf(e) == idOf(element) }); at >= 0 {
				old[at] = element
			} else {
				old = append(old, element)
			}
		}
		return old
	}
	return more
}

// unmergeJSON takes out of a file again what a merge has put in: now is what it says since then, written what it said after the
// merge, and before what it said before, nil where there was none. What was changed since stays.
func unmergeJSON(now, written, before []byte) ([]byte, error) {
	objects := make([]map[string]any, 3)
	for i, text := range [][]byte{now, written, before} {
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var err error
		if objects[i], err = readJSON(text); err != nil {
			return nil, err
		}
	}
	left, _ := unmerged(objects[0], objects[1], objects[2], before != nil)
	return writeJSON(left)
}

// unmerged is unmergeJSON for a value, and gives whether anything is left of it. was: there was one before.
func unmerged(now, written, before any, was bool) (left any, anything bool) {
	if reflect.DeepEqual(now, written) {
		return before, was
	}
	switch now := now.(type) {
	case map[string]any:
		written, ok := written.(map[string]any)
		if !ok {
			return now, true
		}
		before, _ := before.(map[string]any)
		for name, value := range written {
			at, there := now[name]
			if !there {
				continue
			}
			old, had := before[name]
			if left, anything := unmerged(at, value, old, had); anything {
				now[name] = left
			} else {
				delete(now, name)
			}
		}
		return now, was || len(now) > 0
	case []any:
		written, _ := written.([]any)
		before, _ := before.([]any)
		now = slices.DeleteFunc(now, func(element any) bool {
			isElement := func(e any) bool { return reflect.DeepEqual(e, element) }
			return slices.ContainsFunc(written, isElement) && !slices.ContainsFunc(before, isElement)
		})
		return now, was || len(now) > 0
	}
	return now, true
}

func idOf(element any) any {
	object, _ := element.(map[string]any)
	if id, ok := object["id"].(string); ok {
		return id
	}
	return nil
}

// mergeCodex puts model, model_provider and the provider into Codex's config, and leaves everything else in it, comments too, as
// it is written. It looks at lines; that nothing else has changed by that is seen by reading both.
func mergeCodex(url, model string) func([]byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		var had map[string]any
		if err := toml.Unmarshal(old, &had); err != nil {
			return nil, fmt.Errorf("it is no TOML: %w", err)
		}
		var kept strings.Builder
		top, own := true, false
		for line := range strings.Lines(string(old)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "=")
			if strings.HasPrefix(word, "[") {
				top, own = false, strings.TrimSpace(line) == codexTable
			}
			if word = strings.TrimSpace(word); own || top && (word == "model" || word == "model_provider") {
				continue
			}
			kept.WriteString(line)
		}
		rest := strings.Trim(kept.String(), "\n")
		if rest != "" {
			rest = "\n" + rest + "\n"
		}
		text := codexChoice(model) + rest + "\n" + codexProvider(url)
		var has map[string]any
		if err := toml.Unmarshal([]byte(text), &has); err != nil || !reflect.DeepEqual(othersOfCodex(had), othersOfCodex(has)) {
			return nil, errors.New("it is written in a way that is not understood here: put into it by hand what connect prints")
		}
		return []byte(text), nil
	}
}

// othersOfCodex is a config of Codex without what is ours.
func othersOfCodex(config map[string]any) map[string]any {
	others := map[string]any{}
	for name, value := range config {
		providers, ok := value.(map[string]any)
		switch {
		case name == "model" || name == "model_provider":
			continue
		case name == "model_providers" && ok:
			delete(providers, "tokenbuddy")
			if len(providers) == 0 {
				continue
			}
		}
		others[name] = value
	}
	return others
}

// mergeContinue puts the model into the list of Continue's config, in the place of the one of that name.
func mergeContinue(more string) func([]byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if len(bytes.TrimSpace(old)) == 0 {
			return []byte(more), nil
		}
		var had, wanted yaml.Node
		if err := errors.Join(yaml.Unmarshal(old, &had), yaml.Unmarshal([]byte(more), &wanted)); err != nil {
			return nil, fmt.Errorf("it is no YAML: %w", err)
		}
		ours := memberOf(wanted.Content[0], "models").Content[0]
		if len(had.Content) == 0 || had.Content[0].Kind != yaml.MappingNode {
			return nil, errors.New("it is no mapping: put into it by hand what connect prints")
		}
		models := memberOf(had.Content[0], "models")
		switch {
		case models == nil:
			name := &yaml.Node{Kind: yaml.ScalarNode, Value: "models"}
			had.Content[0].Content = append(had.Content[0].Content, name, memberOf(wanted.Content[0], "models"))
		case models.Kind != yaml.SequenceNode:
			return nil, errors.New("its models are no list: put into it by hand what connect prints")
		default:
			models.Content = slices.DeleteFunc(models.Content, func(model *yaml.Node) bool {
				name := memberOf(model, "name")
				return name != nil && name.Value == "TokenBuddy"
			})
			models.Content = append(models.Content, ours)
		}
		var out bytes.Buffer
		encoder := yaml.NewEncoder(&out)
		encoder.SetIndent(2)
		err := errors.Join(encoder.Encode(&had), encoder.Close())
		return out.Bytes(), err
	}
}

func memberOf(mapping *yaml.Node, name string) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}
