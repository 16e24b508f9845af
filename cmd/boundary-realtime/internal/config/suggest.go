package config

import "strings"

// suggestion returns "; did you mean X?" where a known name is close, else where
// to find the names.
func suggestion(name string, known []string) string {
	// More than one slip in three letters, or more than three, is another word.
	best, least := "", min(3, (len(bare(name))+2)/3)+1
	for _, candidate := range known {
		if d := distance(bare(name), bare(candidate)); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return "; check-config --reference lists all"
	}
	return "; did you mean " + best + "?"
}

// bare drops what all variables have in common: it would make them all alike.
func bare(name string) string {
	return strings.TrimPrefix(strings.ToLower(name), strings.ToLower(envPrefix))
}

// distance returns how many bytes must be inserted, deleted or replaced to
// make a into b (Levenshtein). Long names are far from everything.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
