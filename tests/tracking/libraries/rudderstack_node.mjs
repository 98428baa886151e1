// Sends each kind of message with RudderStack's library for Node.
import Analytics from '@rudderstack/rudder-sdk-node'

const analytics = new Analytics(process.env.WRITE_KEY, {
  dataPlaneUrl: process.env.TAGLOOM_URL,
  flushAt: 3,
  flushInterval: 100,
  logLevel: 'error',
})
analytics.identify({ userId: 'u1', anonymousId: 'v1', context: { traits: { plan: 'gold' } } })
analytics.track({ userId: 'u1', event: 'Ad Clicked', properties: { ad: 7 } })
analytics.page({ anonymousId: 'v1', name: 'Home', properties: { path: '/' } })
analytics.screen({ anonymousId: 'v1', name: 'Start' })
analytics.group({ userId: 'u1', groupId: 'g1', traits: { name: 'Acme' } })
analytics.alias({ userId: 'u1', previousId: 'v1' })
await analytics.flush()
