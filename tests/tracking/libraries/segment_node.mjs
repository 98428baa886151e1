// Sends each kind of message with Segment's library for Node.
import { Analytics } from '@segment/analytics-node'

const analytics = new Analytics({
  writeKey: process.env.WRITE_KEY,
  host: process.env.TAGLOOM_URL,
  flushAt: 3,
  flushInterval: 100,
  maxRetries: 5,
  disable: false,
})
analytics.on('error', (error) => console.error(error))
analytics.identify({ userId: 'u1', anonymousId: 'v1', traits: { plan: 'gold' } })
analytics.track({ userId: 'u1', event: 'Ad Clicked', properties: { ad: 7 } })
analytics.page({ anonymousId: 'v1', name: 'Home', properties: { path: '/' } })
analytics.screen({ anonymousId: 'v1', name: 'Start' })
analytics.group({ userId: 'u1', groupId: 'g1', traits: { name: 'Acme' } })
analytics.alias({ userId: 'u1', previousId: 'v1' })
await analytics.closeAndFlush({ timeout: 60000 })
