// The page of the checks: useAgent and useAgentChat as an application uses them, nothing else. It is bundled once and runs
// under happy-dom and in Chromium.

import { createElement as h, Component, Suspense, useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { useAgent } from 'agents/react'
import { useAgentChat } from '@cloudflare/ai-chat/react'

// mount shows a page in root. Options: agent goes to useAgent, chat to useAgentChat; resumes asks what runs on each socket. It returns what the page looks like,
// and tells everybody in page.watchers after each change.
export function mount(root, { agent, chat, resumes }) {
  const page = { watchers: new Set(), statuses: [], errors: [], turnEnds: [] }
  const changed = () => { for (const watch of page.watchers) watch() }
  page.show = (hooks) => {
    Object.assign(page, hooks)
    if (page.statuses.at(-1) !== hooks.chat.status) page.statuses.push(hooks.chat.status)
    changed()
  }
  page.fail = (error) => { page.errors.push(String(error)); changed() }
  const onTurnEnd = (event) => { page.turnEnds.push(event); changed() }
  const react = createRoot(root)
  react.render(h(Boundary, { page }, h(Suspense, { fallback: h('p', null, 'connecting') },
    h(Chat, { page, agent, resumes, chat: { onTurnEnd, ...chat } }))))
  page.unmount = () => react.unmount()
  return page
}

class Boundary extends Component {
  state = {}
  static getDerivedStateFromError(error) { return { error } }
  componentDidCatch(error) { this.props.page.fail(error) }
  render() { return this.state.error ? h('p', null, `broken: ${this.state.error}`) : this.props.children }
}

function Chat({ page, agent: agentOptions, resumes, chat: chatOptions }) {
  const agent = useAgent(agentOptions)
  const chat = useAgentChat({ agent, ...chatOptions })
  useEffect(() => page.show({ agent, chat }))
  useEffect(() => { if (resumes) chat.resumeStream() }, [agent]) // the line of the README for a token that changes
  const submit = (event) => {
    event.preventDefault()
    chat.sendMessage({ text: new FormData(event.target).get('prompt') })
    event.target.reset()
  }
  return h('main', null,
    h('p', { id: 'status' }, chat.status === 'ready' && chat.isServerStreaming ? 'watching' : chat.status),
    h('p', { id: 'error' }, chat.error?.message ?? ''),
    chat.messages.map((m) => h(Message, { key: m.id, message: m, chat })),
    h('form', { onSubmit: submit }, h('input', { name: 'prompt' }), h('button', { id: 'send' }, 'Send')))
}

function Message({ message, chat }) {
  return h('article', { className: message.role }, message.parts.map((part, i) => h(Part, { key: i, part, chat })))
}

function Part({ part, chat }) {
  if (part.type === 'text') return h('p', { className: 'text' }, part.text)
  if (part.type === 'reasoning') return h('p', { className: 'reasoning' }, part.text)
  if (!part.type.startsWith('tool-')) return null
  const answer = (approved) => () => chat.addToolApprovalResponse({ id: part.approval.id, approved })
  return h('section', { className: part.state }, h('code', null, `${part.type} ${JSON.stringify(part.input)}: ${part.state}`),
    part.state === 'approval-requested' && h('button', { className: 'approve', onClick: answer(true) }, 'Approve'),
    part.state === 'approval-requested' && h('button', { className: 'deny', onClick: answer(false) }, 'Deny'))
}
