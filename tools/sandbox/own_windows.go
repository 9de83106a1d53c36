package sandbox

import "errors"

// readOwn has nothing to read: there is no sandbox here whose report could be kept.
func readOwn(string) ([]byte, error) { return nil, errors.ErrUnsupported }
