package socket

const (
	deflateName     = "permessage-deflate"
	serverNoContext = "server_no_context_takeover"
	clientNoContext = "client_no_context_takeover"
	serverBits      = "server_max_window_bits"
	clientBits      = "client_max_window_bits"

	// deflateAnswer is what both sides agree to: every message is compressed on its own.
	deflateAnswer = deflateName + "; " + serverNoContext + "; " + clientNoContext
	// maxWindow is the window of every deflate encoder and decoder here, as a power of two.
	maxWindow = "15"
)

func (e extension) deflate() bool { return e.name == deflateName }

// deflateParams are the parameters of one offer or answer, RFC 7692 section 7.1, each at most once
// and with a value in its range.
type deflateParams map[string]string

// parseDeflate returns the parameters, or false if the offer or answer must be declined.
func parseDeflate(e extension) (deflateParams, bool) {
	params := deflateParams{}
	for _, p := range e.params {
		if _, twice := params[p.name]; twice || !validParam(p) {
			return nil, false
		}
		params[p.name] = p.value
	}
	return params, true
}

func validParam(p param) bool {
	switch p.name {
	case serverNoContext, clientNoContext:
		return !p.hasValue
	case serverBits:
		return validWindow(p.value)
	case clientBits:
		return !p.hasValue || validWindow(p.value)
	default:
		return false
	}
}

// validWindow accepts 8 to 15, without leading zeros.
func validWindow(value string) bool {
	switch value {
	case "8", "9", "10", "11", "12", "13", "14", maxWindow:
		return true
	}
	return false
}

// answerDeflate returns the answer to the first offer of permessage-deflate that we can honour.
// A smaller window for the server cannot be: one frame goes to all receivers. The client's window may
// be any, the inflater always has the largest. RFC 7692 sections 7.1.1.1 and 7.1.1.2 let the server
// exclude context takeover unasked.
func answerDeflate(offers []extension) (answer string, ok bool) {
	for _, offer := range offers {
		if !offer.deflate() {
			continue
		}
		params, ok := parseDeflate(offer)
		if !ok {
			continue
		}
		switch window, asked := params[serverBits]; {
		case !asked:
			return deflateAnswer, true
		case window == maxWindow:
			return deflateAnswer + "; " + serverBits + "=" + maxWindow, true
		}
	}
	return "", false
}

// acceptDeflate reports whether a server's answer is one to the offer deflateAnswer: it must repeat
// server_no_context_takeover, and must not limit our window, which was not offered.
func acceptDeflate(answer extension) bool {
	params, ok := parseDeflate(answer)
	_, alone := params[serverNoContext]
	_, limited := params[clientBits]
	return ok && answer.deflate() && alone && !limited
}
