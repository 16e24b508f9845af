package wsconformance

import (
	"fmt"
	"strings"
)

// encode writes a number as a sequence of n octets, as UTF-8 does or would do if it allowed that:
// over-long, a surrogate, or too large.
func encode(number uint32, n int) string {
	if n == 1 {
		return string([]byte{byte(number)})
	}
	b := make([]byte, n)
	for i := n - 1; i > 0; i-- {
		b[i] = 0x80 | byte(number&0x3F)
		number >>= 6
	}
	b[0] = byte(0xFF<<(8-n)) | byte(number)
	return string(b)
}

// encodeAll writes numbers one after the other in n octets each.
func encodeAll(n int, numbers ...uint32) string {
	var all strings.Builder
	for _, number := range numbers {
		all.WriteString(encode(number, n))
	}
	return all.String()
}

// wholeAndCut are 6.5 and 6.6: pieces of a text that end with a code point, and all its beginnings.
func wholeAndCut() (all []vector) {
	ends := map[int]bool{}
	for i := range phrase {
		ends[i] = true
	}
	for _, n := range []int{2, 8, 16, 19, len(phrase)} {
		all = append(all, vector{"6.5", phrase[:n], n == len(phrase) || ends[n]})
	}
	const short = "µ €𝄞z"
	starts := map[int]bool{len(short): true}
	for i := range short {
		starts[i] = true
	}
	for n := 1; n <= len(short); n++ {
		all = append(all, vector{"6.6", short[:n], starts[n]})
	}
	return all
}

// bounds are 6.7 to 6.11: the least and the greatest of every length.
func bounds() (all []vector) {
	least := []uint32{0x00, 0x80, 0x800, 0x10000, 0x200000, 0x4000000, 0x80000000}
	for n := 1; n <= 4; n++ {
		all = append(all, vector{"6.7", encode(least[n-1], n), true})
	}
	for n := 5; n <= 6; n++ {
		all = append(all, vector{"6.8", encode(least[n-1], n), false})
	}
	for n := 1; n <= 3; n++ {
		all = append(all, vector{"6.9", encode(least[n]-1, n), true})
	}
	all = append(all, vector{"6.9", encode(0x10FFFF, 4), true})
	for n := 4; n <= 6; n++ {
		all = append(all, vector{"6.10", encode(least[n]-1, n), false})
	}
	return append(all,
		vector{"6.11", encode(0xD7FF, 3), true}, vector{"6.11", encode(0xE000, 3), true},
		vector{"6.11", encode(0xFFFD, 3), true}, vector{"6.11", encode(0x10FFFF, 4), true},
		vector{"6.11", encode(0x110000, 4), false})
}

// strays are 6.12 to 6.16: octets without those that belong to them.
func strays() (all []vector) {
	bad := func(number, octets string) { all = append(all, vector{number, octets, false}) }
	bad("6.12", "\x80")
	bad("6.12", "\xBF")
	for n := 2; n <= 6; n++ {
		bad("6.12", strings.Repeat("\x80\xBF", n)[:n])
	}
	bad("6.12", octetRange(0x80, 0xBF, ""))
	for _, leads := range [][2]byte{{0xC0, 0xDF}, {0xE0, 0xEF}, {0xF0, 0xF7}, {0xF8, 0xFB}, {0xFC, 0xFD}} {
		bad("6.13", octetRange(leads[0], leads[1], " "))
	}
	var cuts string
	least := []uint32{0x80, 0x800, 0x10000, 0x200000, 0x4000000, 0x80000000}
	for n := 2; n <= 6; n++ {
		for _, number := range []uint32{least[n-2], least[n-1] - 1} {
			cut := encode(number, n)[:n-1]
			cuts += cut
			bad("6.14", cut)
		}
	}
	bad("6.15", cuts)
	for _, never := range []string{"\xFE", "\xFF", "\xFE\xFE\xFF\xFF"} {
		bad("6.16", never)
	}
	return all
}

func octetRange(from, to byte, separator string) string {
	var all strings.Builder
	for c := int(from); c <= int(to); c++ {
		all.WriteString(string([]byte{byte(c)}) + separator)
	}
	return all.String()
}

// overlong are 6.17 to 6.19: code points in more octets than they need.
func overlong() (all []vector) {
	greatest := []uint32{0x7F, 0x7FF, 0xFFFF, 0x1FFFFF, 0x3FFFFFF}
	for n := 2; n <= 6; n++ {
		all = append(all,
			vector{"6.17", encode('/', n), false},
			vector{"6.18", encode(greatest[n-2], n), false},
			vector{"6.19", encode(0, n), false})
	}
	return all
}

// surrogates are 6.20 and 6.21, alone and in pairs.
func surrogates() (all []vector) {
	high, low := []uint32{0xD800, 0xDB7F, 0xDB80, 0xDBFF}, []uint32{0xDC00, 0xDF80, 0xDFFF}
	for _, one := range append(high, low...) {
		all = append(all, vector{"6.20", encode(one, 3), false})
	}
	for _, first := range high {
		for _, second := range []uint32{low[0], low[2]} {
			all = append(all, vector{"6.21", encodeAll(3, first, second), false})
		}
	}
	return all
}

// specials are 6.22 and 6.23: what is no character is UTF-8 all the same.
func specials() (all []vector) {
	for plane := range uint32(17) {
		for _, end := range []uint32{0xFFFE, 0xFFFF} {
			n := 4
			if plane == 0 {
				n = 3
			}
			all = append(all, vector{"6.22", encode(plane<<16|end, n), true})
		}
	}
	for special := uint32(0xFFF9); special <= 0xFFFF; special++ {
		all = append(all, vector{"6.23", fmt.Sprintf("<%s>", encode(special, 3)), true})
	}
	return all
}
