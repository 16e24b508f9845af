package realtime

// The kinds of lines that are not about a refusal.
const (
	kindHijack   = "hijack"
	kindUnsent   = "unsent"
	kindVerifier = "verifier"
	kindOpen     = "open"
	kindDenied   = "denied"
	kindRefresh  = "refresh"
	kindPanic    = "panic in " // and the name of the callback
)
