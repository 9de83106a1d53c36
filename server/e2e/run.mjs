// Builds the host and the scripted model, and runs every check. With arguments it runs only these test files.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const bin = mkdtempSync(join(tmpdir(), 'coder-e2e-bin-'))

function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options })
  if (error) throw error
  return status ?? 1
}

// build returns the path of a binary: the one that the environment names, or one of this checkout.
function build(variable, folder) {
  if (process.env[variable]) return process.env[variable]
  const path = join(bin, folder.replaceAll('/', '-'))
  if (run('go', ['build', '-o', path, `./${folder}`], { cwd: join(here, '..', '..') }) !== 0) {
    throw new Error(`${folder} does not build`)
  }
  return path
}

let status = 1
try {
  const env = {
    ...process.env,
    CODER_BIN: build('CODER_BIN', 'cmd/coder'),
    FAKE_MODEL_BIN: build('FAKE_MODEL_BIN', 'server/e2e/fakemodel'),
  }
  const named = process.argv.slice(2)
  const files = named.length > 0 ? named : readdirSync(here).filter((name) => name.endsWith('.test.mjs')).sort()
  status = run(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...files], { cwd: here, env })
} finally {
  rmSync(bin, { recursive: true, force: true })
}
process.exit(status)
