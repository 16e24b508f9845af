package realtime

// ConsistencyCheck holds against each other what the service keeps in more than
// one place about its connections, and returns an error that names each
// contradiction, which is a bug of this package. It is for tests and
// development: while it looks at the connections of a processor, nothing is sent
// to them. Safe for concurrent use; callbacks may call it.
func (s *Service) ConsistencyCheck() error { return s.engine.ConsistencyCheck() }
