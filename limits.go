package realtime

// Limits returns the limits in force, with the defaults filled in.
func (s *Service) Limits() Limits { return s.opts.Limits }
