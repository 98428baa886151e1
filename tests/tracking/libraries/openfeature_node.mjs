// Evaluates the flags that it reads, with OpenFeature's SDK and OFREP provider for Node.
import { text } from 'node:stream/consumers'
import { OFREPProvider } from '@openfeature/ofrep-provider'
import { OpenFeature } from '@openfeature/server-sdk'

const provider = new OFREPProvider({
  baseUrl: process.env.ENVIRONMENT_URL,
  headers: [['Authorization', `Bearer ${process.env.TOKEN}`]],
})
await OpenFeature.setProviderAndWait(provider)
const client = OpenFeature.getClient()
const found = []
for (const { key, fallback, user, more } of JSON.parse(await text(process.stdin))) {
  const context = user === null ? more : { targetingKey: user, ...more }
  const { value, variant, reason, errorCode, flagMetadata } = await client.getBooleanDetails(key, fallback, context)
  found.push({ value, variant: variant ?? null, reason, error: errorCode ?? null, metadata: flagMetadata })
}
console.log(JSON.stringify(found))
await OpenFeature.close()
