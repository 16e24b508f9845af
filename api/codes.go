package api

import "net/http"

// code identifies a problem for programs. It never changes its meaning; the detail
// beside it may change.
type code string

// The codes, grouped by status.
const (
	malformedJSON     code = "malformed_json"
	missingBody       code = "missing_body"
	unexpectedBody    code = "unexpected_body"
	unreadableBody    code = "unreadable_body"
	invalidBody       code = "invalid_body"
	invalidQuery      code = "invalid_query"
	invalidMessage    code = "invalid_message"
	invalidTopic      code = "invalid_topic"
	invalidTarget     code = "invalid_target"
	invalidRevocation code = "invalid_revocation"
	tooManyEntries    code = "too_many_entries"

	missingKey  code = "missing_key"
	invalidKey  code = "invalid_key"
	apiDisabled code = "api_disabled"

	unknownPath       code = "unknown_path"
	unknownConnection code = "unknown_connection"
	methodNotAllowed  code = "method_not_allowed"
	bodyTimeout       code = "body_timeout"
	topicLimit        code = "topic_limit"

	bodyTooLarge        code = "body_too_large"
	messageTooLarge     code = "message_too_large"
	unsupportedType     code = "unsupported_media_type"
	unsupportedEncoding code = "unsupported_encoding"

	notImplemented     code = "not_implemented"
	shutDown           code = "shut_down"
	overloaded         code = "overloaded"
	tooManyRevocations code = "too_many_revocations"
	nodeNoReply        code = "no_reply"
	unavailable        code = "unavailable"
)

// statuses holds the HTTP status of each code. It is never modified.
var statuses = map[code]int{
	malformedJSON:     http.StatusBadRequest,
	missingBody:       http.StatusBadRequest,
	unexpectedBody:    http.StatusBadRequest,
	unreadableBody:    http.StatusBadRequest,
	invalidBody:       http.StatusBadRequest,
	invalidQuery:      http.StatusBadRequest,
	invalidMessage:    http.StatusBadRequest,
	invalidTopic:      http.StatusBadRequest,
	invalidTarget:     http.StatusBadRequest,
	invalidRevocation: http.StatusBadRequest,
	tooManyEntries:    http.StatusBadRequest,

	missingKey:  http.StatusUnauthorized,
	invalidKey:  http.StatusUnauthorized,
	apiDisabled: http.StatusForbidden,

	unknownPath:       http.StatusNotFound,
	unknownConnection: http.StatusNotFound,
	methodNotAllowed:  http.StatusMethodNotAllowed,
	bodyTimeout:       http.StatusRequestTimeout,
	topicLimit:        http.StatusConflict,

	bodyTooLarge:        http.StatusRequestEntityTooLarge,
	messageTooLarge:     http.StatusRequestEntityTooLarge,
	unsupportedType:     http.StatusUnsupportedMediaType,
	unsupportedEncoding: http.StatusUnsupportedMediaType,

	notImplemented:     http.StatusNotImplemented,
	shutDown:           http.StatusServiceUnavailable,
	overloaded:         http.StatusServiceUnavailable,
	tooManyRevocations: http.StatusServiceUnavailable,
	nodeNoReply:        http.StatusServiceUnavailable,
	unavailable:        http.StatusServiceUnavailable,
}
