package sandbox

// lock takes nothing: there are no boxed commands here.
func lock(string) (release func(), err error) { return func() {}, nil }
