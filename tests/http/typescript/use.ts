// Makes a bulk write, a count and decisions, and records an event, through the generated types, and prints what the server answered.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { env: Record<string, string> };

const { TAGLOOM_URL, TAGLOOM_TOKEN, TAGLOOM_SPACE } = process.env;
const client = createClient<paths>({ baseUrl: TAGLOOM_URL, headers: { Authorization: `Bearer ${TAGLOOM_TOKEN}` } });
const place = { space: TAGLOOM_SPACE as string, environment: "production" as const };

function answered<Data>(answer: { data?: Data; error?: unknown }): Data {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const receipt = answered(
  await client.POST("/v2/spaces/{space}/environments/{environment}/taggings", {
    params: { path: place },
    body: { taggings: [{ user: "u1", tags: ["tier/gold"] }, { user: "u2", tags: ["tier/silver"] }] },
  }),
);
const tribe = answered(
  await client.POST("/v2/spaces/{space}/tribes", {
    params: { path: { space: place.space } },
    body: {
      name: "Gold members",
      audience: "users",
      rule: {
        type: "all",
        of: [
          { type: "tag", tag: "tier/gold" },
          { type: "percent", of: 100, salt: "spring" },
        ],
      },
    },
  }),
);
const count = answered(
  await client.GET("/v2/spaces/{space}/environments/{environment}/tribes/{tribe}/count", {
    params: { path: { ...place, tribe: tribe.id }, query: { at_least: receipt.version } },
  }),
);
const decision = answered(
  await client.POST("/v2/spaces/{space}/environments/{environment}/decisions", {
    params: { path: place },
    body: { user: "u1", because: true },
  }),
);
const mobile = answered(
  await client.POST("/v2/spaces/{space}/tribes", {
    params: { path: { space: place.space } },
    body: { name: "Mobile", rule: { type: "context", field: "platform", op: "one-of", value: ["ios", "android"] } },
  }),
);
const onMobile = answered(
  await client.POST("/v2/spaces/{space}/environments/{environment}/decisions", {
    params: { path: place },
    body: { user: "u2", because: true, context: { platform: "ios", version: 7, beta: false } },
  }),
);
const refused = await client.POST("/v2/spaces/{space}/environments/{environment}/taggings", {
  params: { path: place },
  body: { taggings: [{ user: "u3", tags: ["Tier/gold"] }] },
});
const recorded = answered(
  await client.POST("/v2/spaces/{space}/environments/{environment}/events", {
    params: { path: place },
    body: { events: [{ user: "u1", event: "ad/clicked", properties: { ad: 7 }, id: "m1" }] },
  }),
);
const events = answered(
  await client.GET("/v2/spaces/{space}/environments/{environment}/users/{id}/events", {
    params: { path: { ...place, id: "u1" }, query: { at_least: recorded.version } },
  }),
);

console.log(
  JSON.stringify({
    added: receipt.added,
    tribe: tribe.id,
    count: [count.count, count.of],
    tribes: decision.tribes,
    because: decision.because?.[tribe.id]?.map((each) => each.tag ?? each.asks?.type),
    mobile: onMobile.tribes.includes(mobile.id),
    asked: onMobile.because?.[mobile.id]?.map((each) => each.asks?.type),
    events: events.items.map((each) => [each.event, each.properties]),
    rejected: refused.data?.rejected?.map((each) => each.problem),
  }),
);
