// The two processes of a test file: the scripted model and the host, which is the real binary.

import { spawn } from 'node:child_process'
import { mkdtemp, mkdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

// program returns the path of a binary that run.mjs has built, or that its user names.
function program(name) {
  const path = process.env[name]
  if (!path) throw new Error(`${name} is not set: start the suite with npm test`)
  return path
}

// started holds what must not outlive this process.
const started = new Set()
process.on('exit', () => { for (const child of started) child.kill('SIGKILL') })
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(1))

// launch starts a program and waits for the line in which it says where it listens.
async function launch(path, args, options) {
  const child = spawn(path, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  started.add(child)
  const log = []
  child.stderr.on('data', (data) => log.push(data))
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => { started.delete(child); resolve({ code, signal }) }))
  const addr = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => {
      const match = /^listening on http:\/\/(\S+)$/.exec(line)
      if (match) resolve(match[1])
      else reject(new Error(`${path} said ${line}`))
    })
    child.once('error', reject)
    ended.then(() => reject(new Error(`${path} ended before it listened:\n${log.join('')}`)))
  })
  return { child, addr, ended, log: () => log.join('') }
}

// A Host is `coder serve` with a home, a data dir and a token file of its own. restart keeps all three and the address.
export class Host {
  static async start(modelAddr, ...flags) {
    const host = new Host()
    host.home = await mkdtemp(join(tmpdir(), 'coder-e2e-'))
    host.tokenFile = join(host.home, 'token')
    host.modelAddr = modelAddr
    host.flags = flags
    host.addr = '127.0.0.1:0'
    await host.restart()
    return host
  }

  async restart() {
    const args = ['serve', '--addr', this.addr, '--token-file', this.tokenFile, '--data-dir', join(this.home, 'data'), '--model', 'unset']
    this.process = await launch(program('CODER_BIN'), [...args, ...this.flags], {
      cwd: this.home,
      env: { PATH: process.env.PATH, HOME: this.home, OPENROUTER_BASE_URL: `http://${this.modelAddr}/api/v1` },
    })
    this.addr = this.process.addr
    this.token = await this.readToken()
  }

  // readToken is what a page's query function asks its own server for.
  async readToken() { return (await readFile(this.tokenFile, 'utf8')).trim() }

  // workdir makes a folder for a session.
  async workdir(name) {
    const dir = join(this.home, 'work', name)
    await mkdir(dir, { recursive: true })
    return dir
  }

  // stop sends the signal and waits for the end: SIGKILL is the crash, SIGTERM the shutdown.
  async stop(signal = 'SIGTERM') {
    this.process.child.kill(signal)
    return this.process.ended
  }

  async close() {
    await this.stop()
    await rm(this.home, { recursive: true, force: true })
  }
}

// A Model is the process that plays the scripts of all sessions.
export class Model {
  static async start() {
    const model = new Model()
    model.process = await launch(program('FAKE_MODEL_BIN'), [], {})
    return model
  }

  get addr() { return this.process.addr }

  async ask(method, path, body) {
    const answer = await fetch(`http://${this.addr}${path}`, { method, body: body && JSON.stringify(body) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`the model answers ${method} ${path} with ${answer.status}: ${text}`)
    return text && JSON.parse(text)
  }

  async close() {
    this.process.child.kill('SIGTERM')
    await this.process.ended
  }
}
