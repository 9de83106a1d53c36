// Builds the host and the scripted model, runs every check and tells which rows of the conformance table they cover. With
// arguments it runs only these test files.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expected } from './expected.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'coder-e2e-run-'))
const checked = join(work, 'checked.jsonl')

const rows = 27 // of the table; 28 and 29 are other features of the SDK

function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options })
  if (error) throw error
  return status ?? 1
}

// build returns the path of a binary: the one that the environment names, or one of this checkout.
function build(variable, folder) {
  if (process.env[variable]) return process.env[variable]
  const path = join(work, folder.replaceAll('/', '-'))
  if (run('go', ['build', '-o', path, `./${folder}`], { cwd: join(here, '..', '..') }) !== 0) {
    throw new Error(`${folder} does not build`)
  }
  return path
}

// report prints how many checks each row has, and returns what is wrong with the list of those that fail.
function report() {
  const all = readFileSync(checked, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  const wrong = Object.keys(expected).filter((name) => !all.some((c) => c.name === name)).map((name) => `expected.mjs lists ${name}, which is no check`)
  for (let row = 1; row <= rows; row++) {
    const checks = all.filter((c) => c.row === row)
    const listed = checks.filter((c) => c.listed).length
    if (checks.length === 0) wrong.push(`row ${row} has no check`)
    console.log(`row ${String(row).padStart(2)}: ${checks.length} checks${listed > 0 ? `, of which ${listed} fail as listed` : ''}`)
  }
  return wrong
}

let status = 1
try {
  writeFileSync(checked, '')
  const env = {
    ...process.env,
    CHECKED: checked,
    CODER_BIN: build('CODER_BIN', 'cmd/coder'),
    FAKE_MODEL_BIN: build('FAKE_MODEL_BIN', 'server/e2e/fakemodel'),
  }
  const named = process.argv.slice(2)
  const files = named.length > 0 ? named : readdirSync(here).filter((name) => name.endsWith('.test.mjs')).sort()
  status = run(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...files], { cwd: here, env })
  if (named.length === 0) {
    const wrong = report()
    for (const line of wrong) console.error(line)
    if (wrong.length > 0) status = 1
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
process.exit(status)
