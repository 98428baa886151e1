"""Secrets by name: from the environment or from files, each organization's own."""

from pathlib import Path

import pytest

from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.secrets import Secrets


def test_a_secret_is_read_from_the_environment_and_else_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / "crm").write_text("from file\n")
    (tmp_path / "main" / "erp").write_text("from file\n")
    secrets = Secrets(tmp_path, {"TAGLOOM_SECRET_MAIN__CRM": "from environment"})

    assert secrets.read("main", "crm") == "from environment"
    assert secrets.read("main", "erp") == "from file"


@pytest.mark.parametrize("name", ["", "../main/crm", "CRM", "crm/../../x", "database-url", "a--b"])
def test_no_name_leads_to_another_organization_or_to_a_variable_that_is_no_secret(tmp_path: Path, name: str) -> None:
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / "crm").write_text("hush")
    secrets = Secrets(tmp_path, {"TAGLOOM_SECRET_MAIN__CRM": "hush", "TAGLOOM_DATABASE_URL": "hush", "CRM": "hush"})

    with pytest.raises(SourceUnreadable) as caught:
        secrets.read("other", name)
    assert "hush" not in caught.value.detail


def test_a_secret_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="neither a variable TAGLOOM_SECRET_ACME_SHOP__CRM nor a file /"):
        Secrets(tmp_path, {}).read("acme-shop", "crm")
    with pytest.raises(SourceUnreadable) as caught:
        Secrets(None, {}).read("main", "crm")
    assert caught.value.detail == "The server has no variable TAGLOOM_SECRET_MAIN__CRM for the secret 'crm'."


def test_no_two_organizations_share_a_variable() -> None:
    secrets = Secrets(None, {"TAGLOOM_SECRET_A__B__C": "of a--b"})

    for organization, name in (("a", "b--c"), ("a--b", "c"), ("a", "b-c"), ("a-b", "c")):
        with pytest.raises(SourceUnreadable):
            secrets.read(organization, name)
