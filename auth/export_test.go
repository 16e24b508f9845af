package auth

// Vector is a token for tests of what is built on this package.
type Vector struct {
	Name   string
	Token  string
	Reason Reason // empty: it must be accepted
}

// ForEachVector calls f with each token and a verifier that it is for, whose key set
// has just been fetched.
func ForEachVector(verifier func(Options) *JWT, f func(*JWT, Vector)) {
	for _, set := range append(refusedVectors(), acceptedVectors()...) {
		o := set.published().fill(set.options)
		o.Now = clock
		v := verifier(o)
		for _, c := range set.vectors {
			f(v, Vector{set.name + "/" + c.name, c.token, set.soon(c)})
		}
	}
}

// ForEachOddRight calls f with tokens for HS256 with secret, each with a claim that
// grants nothing in the place of a right.
func ForEachOddRight(f func(secret []byte, name, token string)) {
	for _, claim := range []string{"role", "roles", "permissions", "topics", "email"} {
		for _, value := range unreadableRights() {
			f(secret, claim+" "+value, withClaim(claim, value))
		}
	}
}
