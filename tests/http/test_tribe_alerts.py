"""Alerts of tribes at the door, and the job of a serving process that checks them."""

import time

import httpx
import pytest

from tagloom_client import Tagloom, problems, rules
from tagloom_client.alert_models import TribeAlertSettings


def test_an_alert_is_set_read_listed_and_deleted(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.create_tribe("Gold", rules.tag("gold"))
    with pytest.raises(problems.NotFound, match="tribe-alert-not-found"):
        tagloom.get_tribe_alert("gold")

    made = tagloom.put_tribe_alert(
        "gold", share_percent=30, direction="down", window_hours=6, people_min=5, emails=["data@example.com"]
    )

    assert made.settings == TribeAlertSettings(
        share_percent=30, direction="down", window_hours=6, people_min=5, emails=("data@example.com",)
    )
    assert made.state.status == "quiet"
    assert [each.tribe for each in tagloom.list_tribe_alerts()] == ["gold"]
    assert tagloom.get_tribe_alert("gold").settings == made.settings
    address = f"{tagloom.place.address}/tribes/gold/alert"
    assert http.put(address, json={"share_percent": 0}).json()["field"] == "$.share_percent"
    assert http.put(address, json={"emails": ["nobody"]}).json()["type"] == "/problems/email-invalid"
    assert http.put(address, json={"hours": 1}).status_code == 422
    tagloom.delete_tribe_alert("gold")
    assert list(tagloom.list_tribe_alerts()) == []
    with pytest.raises(problems.NotFound, match="tribe-not-found"):
        tagloom.put_tribe_alert("nope")


def test_a_serving_process_fires_the_alert_and_says_so_in_the_metrics(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.create_tribe("Gold", rules.tag("gold"))
    receipt = tagloom.tag_people([{"user": f"u{number}", "tags": ["gold"]} for number in range(7)])

    tagloom.put_tribe_alert("gold", people_min=5)

    deadline = time.monotonic() + 30
    while (alert := tagloom.get_tribe_alert("gold")).state.status == "quiet" and time.monotonic() < deadline:
        time.sleep(0.2)
    state = alert.state
    assert (state.status, state.before, state.after) == ("firing", 0, 7)
    assert state.cause is not None
    assert (state.cause.version, state.cause.moved) == (receipt.version, 7)
    text = http.get("/metrics").text
    assert 'tagloom_tribe_alerts{status="firing"}' in text
