"""The settings documents that client libraries for browsers load before they send messages."""

from typing import Any

from tagloom.tracking.event_sources import Sender


def segment_settings(sender: Sender, base: str) -> dict[str, Any]:
    """Returns the settings that Segment's library loads. It sends its messages to `base`, the address of the server.

    Source: the type `CDNSettings` of @segment/analytics-next.
    """
    scheme, _, host = base.partition("://")
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": sender.source.write_key,
                "apiHost": f"{host}/v1",
                "protocol": scheme,
                "bundledConfigIds": [],
                "unbundledIntegrations": [],
                "addBundledMetadata": False,
                "type": "server",
                "bundlingStatus": "bundled",
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
                "httpConfig": {
                    "rateLimitConfig": {"enabled": True, "maxRetryCount": 100, "maxRetryInterval": 300},
                    "backoffConfig": {"enabled": True, "maxRetryCount": 100, "default5xxBehavior": "retry"},
                },
            }
        },
        "plan": {
            "track": {"__default": {"enabled": True, "integrations": {}}},
            "identify": {"__default": {"enabled": True}},
            "group": {"__default": {"enabled": True}},
        },
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def rudderstack_settings(sender: Sender, base: str) -> dict[str, Any]:
    """Returns the settings that RudderStack's library loads. It sends its messages to `base`.

    Source: https://github.com/rudderlabs/rudder-sdk-js, the type `SourceConfigResponse`.
    """
    source = sender.source
    return {
        "source": {
            "id": source.id,
            "name": source.name,
            "writeKey": source.write_key,
            "config": {
                "statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}},
            },
            "enabled": True,
            "workspaceId": sender.organization,
            "connections": [],
            "destinations": [],
            "dataplanes": {"DEFAULT": [{"url": base, "default": True}]},
            "updatedAt": source.created_at,
        },
        "updatedAt": source.created_at,
        "consentManagementMetadata": {},
    }
