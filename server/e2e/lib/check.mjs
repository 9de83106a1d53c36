// A check is a test of one row of the conformance table. One that expected.mjs lists must fail, and in the way that is
// listed: so the list only shrinks.

import test from 'node:test'
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { expected } from '../expected.mjs'

export const seconds = 60 // for one check

export function check(row, name, run) {
  const failure = expected[name]
  test(`row ${row}: ${name}${failure ? ' (fails as listed)' : ''}`, { timeout: seconds * 1000 }, async (t) => {
    note({ row, name, listed: Boolean(failure) })
    if (!failure) return run(t)
    const error = await Promise.resolve().then(() => run(t)).then(() => undefined, (e) => e)
    assert(error, `${name} passes now: take it out of expected.mjs`)
    assert.match(String(error.message), failure.got, `${name} fails in another way than listed: ${error.stack}`)
    t.diagnostic(`${name}: ${failure.why}`)
  })
}

// note tells run.mjs what was checked.
function note(entry) {
  if (process.env.CHECKED) appendFileSync(process.env.CHECKED, `${JSON.stringify(entry)}\n`)
}
