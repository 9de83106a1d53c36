package render

// mend completes what is half there at the end of a block.
func mend(source string) string { return source }

// mend returns the line that is not complete without what may become something else.
func (s *splitter) mend(partial string) string { return partial }
