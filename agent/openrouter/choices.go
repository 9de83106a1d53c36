package openrouter

import (
	"context"
	"maps"
	"slices"
)

// Models returns the ids that the server's list has, in the order of the alphabet. It asks as often as Describe does.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	if _, err := c.Describe(ctx, ""); err != nil {
		return nil, err
	}
	select {
	case <-c.catalog.turn:
		defer func() { c.catalog.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return slices.Sorted(maps.Keys(c.catalog.models)), nil
}
