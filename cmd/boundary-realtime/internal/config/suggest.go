package config

import "strings"

// suggestion returns "; did you mean X?" if a known name is similar, else where to find
// all names.
func suggestion(name string, known []string) string {
	// With more than one mistake in three letters, or more than three, it is another word.
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

// bare removes the common prefix of all variables, which would make them similar.
func bare(name string) string {
	return strings.TrimPrefix(strings.ToLower(name), strings.ToLower(envPrefix))
}

// distance returns the number of bytes to insert, delete or replace to turn a into b
// (Levenshtein). A long name is similar to none.
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
