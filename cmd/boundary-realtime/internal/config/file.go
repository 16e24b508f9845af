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

// maxFile is the largest size of a configuration file in bytes.
const maxFile = 1 << 20

func readEntries(path string, data []byte, err error, problems *Problems) []entry {
	if err != nil {
		problems.add("%s: %v", path, err)
		return nil
	}
	return parseFile(path, data, problems)
}

// readLimited reads a small file, so that a wrong path such as /dev/zero is an error and
// does not use up the memory. Its errors do not contain the path, which may be a secret
// in place of the path.
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

// cause returns the error of reading a file, without its path.
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
			problems.add("%s: unknown setting%s", label, suggestion(key.Value, names()))
			continue
		}
		place := fmt.Sprintf("%s:%d: ", path, key.Line)
		label = place + s.name
		if line := lines[s.name]; line != 0 {
			problems.add("%s: it is already set in line %d", label, line)
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
		return nil, nil // only comments
	case err != nil:
		return nil, withLine(err, data)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document; write one")
	}
	root := document.Content[0]
	switch {
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return nil, nil
	case root.Kind != yaml.MappingNode:
		return nil, errors.New("not a mapping; write one setting per line, such as listen: 127.0.0.1:8080")
	}
	return root.Content, nil
}

// withLine adds the line to an error of the YAML library, which omits line 1 and the line
// of an invalid character.
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

// isForeign reports whether a character is not allowed in YAML.
func isForeign(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\u0085", r)
}

// nodeText returns the value as it is written in a variable.
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
