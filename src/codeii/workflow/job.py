"""One job of a study."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """One artefact to be made: by which rule, for which wildcards, from what, under which settings and code."""

    rule: str
    kind: str  # of the manifest
    wildcards: dict[str, str]
    folder: str
    inputs: dict[str, list[str]]  # role -> manifests
    settings: dict[str, Any]
    code: str

    @property
    def manifest(self) -> str:
        """Path of the artefact's manifest."""
        return f"{self.folder}/manifest.json"
