//go:build unix

package doctest

import (
	"fmt"
	"os"
	"strings"
)

// block is one fenced block of a document.
type block struct {
	Place    string // file:line, for messages
	Language string
	Options  map[string]string // what follows the language; a word without = is an option with the value ""
	Text     string
}

// has reports whether an option is given.
func (b block) has(option string) bool {
	_, given := b.Options[option]
	return given
}

// readBlocks returns the fenced blocks of a Markdown file, in order.
func readBlocks(file string) ([]block, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseBlocks(file, string(text))
}

const fence = "```"

func parseBlocks(file, text string) (blocks []block, err error) {
	var open *block
	for i, line := range strings.Split(text, "\n") {
		place := fmt.Sprintf("%s:%d", file, i+1)
		switch {
		case open == nil && strings.HasPrefix(line, fence):
			open = newBlock(place, strings.TrimPrefix(line, fence))
		case open == nil:
		case line == fence:
			blocks = append(blocks, *open)
			open = nil
		default:
			open.Text += line + "\n"
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the block has no end", open.Place)
	}
	return blocks, nil
}

func newBlock(place, info string) *block {
	b := &block{Place: place, Options: map[string]string{}}
	for i, word := range strings.Fields(info) {
		if i == 0 {
			b.Language = word
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		b.Options[name] = value
	}
	return b
}
