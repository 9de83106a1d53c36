package sandbox

import (
	"testing"
)

func TestProto2(t *testing.T) {
	o := Options{Home: "/root", Cache: t.TempDir()}
	dir := t.TempDir()
	r, err := Test(t.Context(), o, dir)
	t.Logf("%+v %v", r, err)
	r, err = Test(t.Context(), o, dir)
	t.Logf("%+v %v", r, err)
	c, err := attempt(t.Context(), o, dir, 2)
	t.Logf("%+v %v", c, err)
}
