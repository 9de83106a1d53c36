// The checks that fail, each with the reason and with what its error says. A check that passes is taken out here in the same
// commit: one that is listed and passes, or fails in another way, fails the suite.

export const expected = {
}
