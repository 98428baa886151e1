"""The Helm chart, linted and rendered by Helm's own library, and held against the schemas of Kubernetes."""

from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

import tagloom
from tagloom.base import limits
from tagloom.settings import read_settings
from tests.deploy.containers import read_instructions
from tests.deploy.paths import DEPLOY

CHART = DEPLOY / "helm" / "tagloom"
SEVERITY_WARNING = 2
KUBERNETES = ("1.27", "1.31", "1.36")
POSTGRES = {"database": {"secretName": "tagloom-database"}}
SEVERAL = {"replicas": 3, "persistence": {"accessMode": "ReadWriteMany"}, **POSTGRES}
VALUES: dict[str, dict[str, Any]] = {
    "one file": {},
    "PostgreSQL": POSTGRES,
    "several replicas": SEVERAL,
    "everything": {
        **SEVERAL,
        "publicUrl": "https://tags.example.com",
        "trustedProxies": "10.0.0.0/8",
        "image": {"repository": "registry.example.com/tagloom", "tag": "1", "pullSecrets": ["registry"]},
        "settings": {"TAGLOOM_LOG_LEVEL": "warning"},
        "settingsFromSecrets": ["tagloom-secrets"],
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "tlsSecretName": "tags-tls",
            "annotations": {"example.com/a": "b"},
        },
    },
}


def rendered(values: dict[str, Any]) -> dict[str, Any]:
    """The manifests by their kind."""
    with helm_python.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values)
        files = chart.render(values, name="tags", namespace="prod")
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    return {each["kind"]: each for text in texts for each in yaml.safe_load_all(text) if each is not None}


def environ_of(manifests: dict[str, Any]) -> dict[str, str]:
    listed = manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0]["env"]
    return {each["name"]: each.get("value", "") for each in listed}


def test_helm_finds_no_fault_in_the_chart() -> None:
    found = helm_python.lint(str(CHART))
    assert found["errors"] == []
    assert [each for each in found["messages"] if each["severity"] >= SEVERITY_WARNING] == []


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", VALUES.values(), ids=list(VALUES))
def test_every_manifest_fits_the_schemas_of_kubernetes(values: dict[str, Any], version: str) -> None:
    manifests = rendered(values)
    assert {"Deployment", "Service", "PersistentVolumeClaim"} <= set(manifests)
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_manifest_with_an_unknown_field_does_not_fit() -> None:
    manifest = rendered({})["Service"]
    manifest["spec"]["prots"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"replicas": 2}, "Several replicas need PostgreSQL"),
        ({"replicas": 2, **POSTGRES}, "accessMode to ReadWriteMany"),
        ({"replicaz": 2}, "replicaz"),
        ({"publicUrl": "https://tags.example.com/below"}, "publicUrl"),
        ({"settings": {"OTHER": "1"}}, "OTHER"),
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(helm_python.HelmError, match=says):
        rendered(values)


@pytest.mark.parametrize("values", VALUES.values(), ids=list(VALUES))
def test_the_settings_of_the_chart_are_understood(values: dict[str, Any]) -> None:
    environ = environ_of(rendered(values))
    url = "postgresql://tagloom:password@db/tagloom" if "database" in values else "sqlite:////data/tagloom.sqlite"
    read_settings(environ=environ | {"TAGLOOM_DATABASE_URL": url})


def test_the_pod_has_the_user_and_the_volume_of_the_image_and_no_rights() -> None:
    known = dict(read_instructions(DEPLOY / "Containerfile"))
    pod = rendered({})["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    user = pod["securityContext"]
    assert f"{user['runAsUser']}:{user['runAsGroup']}" == known["USER"]
    assert user["fsGroup"] == user["runAsGroup"]
    assert user["runAsNonRoot"] is True
    assert [each["mountPath"] for each in container["volumeMounts"]] == [known["VOLUME"]]
    assert str(container["ports"][0]["containerPort"]) == known["EXPOSE"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_kubernetes_waits_longer_than_the_server_takes_to_stop() -> None:
    pod = rendered({"drainSeconds": 100, "stopSeconds": 300})["Deployment"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 100 + 300 + limits.STOP_SECONDS_MORE_MAX


def test_one_file_is_never_open_in_two_pods_of_a_rollout() -> None:
    assert rendered({})["Deployment"]["spec"]["strategy"]["type"] == "Recreate"
    assert rendered(SEVERAL)["Deployment"]["spec"]["strategy"]["type"] == "RollingUpdate"


def test_the_chart_is_of_this_version() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"] == tagloom.__version__
