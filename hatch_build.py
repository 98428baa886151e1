"""Stops a build of the package that would lack the console's scripts and styles."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleAssetsHook(BuildHookInterface[Any]):
    """Requires the browser assets, which are built by npm and are not in the repository."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Checks that the assets are there; an editable installation may build them later.

        Raises:
            FileNotFoundError: the assets are not built.
        """
        manifest = Path(self.root, "src/tagloom/console/static/manifest.json")
        if version != "editable" and not manifest.is_file():
            raise FileNotFoundError(
                f"'{manifest}' is missing: the console's assets are not built. Run 'make assets' first."
            )
