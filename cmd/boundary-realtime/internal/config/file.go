package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds what is read of a configuration file, in bytes.
const maxFile = 1 << 20

func readEntries(path string, data []byte, err error, problems *Problems) []entry {
	if err != nil {
		problems.add("%s: %v", path, err)
		return nil
	}
	return parseFile(path, data, problems)
}

// readLimited reads a file that is expected to be small, so that a wrong path
// such as /dev/zero is an error and not the end of the memory. No error of it
// names the path: it may be a secret that was given where its file belongs.
func readLimited(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, cause(err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("longer than %d bytes", limit)
	}
	return data, nil
}

// cause returns why a file cannot be read, without its path.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// parseFile reads one YAML mapping of settings to scalars or lists of scalars.
func parseFile(path string, data []byte, problems *Problems) (entries []entry) {
	mapping, err := parseMapping(data)
	if err != nil {
		problems.add("%s: %v", path, err)
		return nil
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(mapping); i += 2 {
		key, node := mapping[i], mapping[i+1]
		label := fmt.Sprintf("%s:%d: %.64q", path, key.Line, key.Value)
		s, known := findSetting(key.Value)
		if !known {
			problems.add("%s: there is no such setting%s", label, suggestion(key.Value, names()))
			continue
		}
		place := fmt.Sprintf("%s:%d: ", path, key.Line)
		label = place + s.name
		if line := lines[s.name]; line != 0 {
			problems.add("%s: it is given in line %d already", label, line)
			continue
		}
		lines[s.name] = key.Line
		text, err := nodeText(node)
		if err != nil {
			problems.add("%s: %v", label, err)
			continue
		}
		entries = append(entries, entry{s, label, text, place})
	}
	return entries
}

// parseMapping returns the keys and values of the document, in turn.
func parseMapping(data []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil // nothing but comments
	case err != nil:
		return nil, withLine(err, data)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document; write one")
	}
	root := document.Content[0]
	switch {
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return nil, nil
	case root.Kind != yaml.MappingNode:
		return nil, errors.New("not a mapping; write one setting a line, such as listen: 127.0.0.1:8080")
	}
	return root.Content, nil
}

// withLine adds the line to an error of the YAML library that has none: it leaves
// out the first, and that of a character which may not stand in a file.
func withLine(err error, data []byte) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.HasPrefix(text, "line ") {
		return err
	}
	before := data[:0]
	if i := bytes.IndexFunc(data, isForeign); i >= 0 {
		before = data[:i]
	}
	return fmt.Errorf("yaml: line %d: %s", 1+bytes.Count(before, []byte("\n")), text)
}

// isForeign reports whether YAML has no place for a character.
func isForeign(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\u0085", r)
}

// nodeText returns the value as it would be written in a variable.
func nodeText(node *yaml.Node) (string, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		if node.Tag == "!!null" {
			return "", errors.New("it has no value; remove the line for the default")
		}
		return node.Value, nil
	case yaml.SequenceNode:
		items := make([]string, 0, len(node.Content))
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, ",") {
				return "", errors.New("write the list as plain texts without commas")
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	}
	return "", errors.New("want a plain value or a list of them")
}

func names() []string {
	all := make([]string, len(settings))
	for i, s := range settings {
		all[i] = s.name
	}
	return all
}
