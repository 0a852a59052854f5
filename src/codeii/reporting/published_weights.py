"""What stands beside the scores of starts from weights published by others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codeii.artifacts.checkpoint import PUBLISHED
from codeii.artifacts.manifest import Manifest

SHORT = 12  # hex digits of a hash that are shown


def weights_in_words(scores: Iterable[Manifest]) -> str:
    """A sentence for each file of published weights behind these scores: whose, what it has seen, licence, page."""
    behind: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for manifest in scores:
        for start, said in (manifest.facts.get(PUBLISHED) or {}).items():
            starts = behind.setdefault(said["name"], (said, []))[1]
            starts += [start] if start not in starts else []
    return " ".join(_one_in_words(said, starts) for said, starts in behind.values())


def _one_in_words(said: Mapping[str, Any], starts: Sequence[str]) -> str:
    seen = said["seen"]
    sources = ", ".join(f"{source} {word}" for source, word in seen["sources"].items()) or "undetermined"
    where = said["page"] or "no address known"
    return (
        f"Weights published by others: {' and '.join(starts)} from {said['encoder'] or said['name']}, pretrained on "
        f"{seen['data']}; has seen {sources} ({seen['known']}); licence of the weights: {said['licence']}; {where}; "
        f"sha256 {said['sha256'][:SHORT]}."
    )
