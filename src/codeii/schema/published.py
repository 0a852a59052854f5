"""What `params.yaml` may say of where the files of a source are published: addresses, hashes, licence."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from codeii.schema.strict import Strict

# http is for the servers of tests on this machine; nothing else is ever fetched without encryption.
ADDRESS = r"^(https://[^\s@?#]+|http://127\.0\.0\.1(:[0-9]+)?(/[^\s@?#]*)?)$"


def _secure(address: str) -> str:
    if re.match(ADDRESS, address) is None:
        raise ValueError("expected an https address, without a user name, a query or a fragment")
    return address


Address = Annotated[str, AfterValidator(_secure), Field(json_schema_extra={"pattern": ADDRESS})]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class Licence(Strict):
    """What has to be accepted before the files are fetched."""

    name: str = Field(min_length=1, description="as the publisher names it")
    address: Address = Field(description="where its text is")
    terms: str = Field(min_length=1, description="one sentence: what it asks of whoever uses the data")


class Pin(Strict):
    """What is known of a file before it is fetched; all null: the first fetch records its hash."""

    sha256: Sha256 | None = Field(None, description="of the file as published")
    md5: Md5 | None = Field(None, description="of the file as published, where the publisher gives no sha256")
    bytes: int | None = Field(None, ge=0, description="size of the file as published")


class Listing(Strict):
    """The publisher's own list of files and hashes."""

    form: Literal["sha256sums", "zenodo"] = Field(
        "sha256sums", description="sha256sums: as sha256sum(1) writes it; zenodo: the JSON of a Zenodo record"
    )
    address: str = Field(min_length=1, description="relative to each mirror, or a whole address")
    sha256: Sha256 | None = Field(None, description="of the list itself: pins every file it names (sha256sums)")
    only: list[str] = Field(default_factory=list, description="folders or files of the list to take; empty: all")


class Primary(Strict):
    """A source as its publisher gives it out (origin: primary)."""

    page: Address = Field(description="the publisher's page, named in messages")
    licence: Licence = Field(description="shown before the first fetch, accepted once")
    mirrors: list[Address] = Field(min_length=1, description="base addresses of the same files, tried in order")
    listing: Listing | None = Field(None, description="the publisher's list of files and hashes")
    files: dict[str, Pin] = Field(
        default_factory=dict, description="the files where there is no list; with a list: pins of files it names"
    )
    unpack: list[str] = Field(
        default_factory=list, description="zip and tar archives to unpack where they lie, by name or pattern"
    )
    total_bytes: int | None = Field(None, gt=0, description="about what it takes on disk, to check before it starts")


class Archive(Strict):
    """A kept copy of a whole version folder, with the SHA256SUMS in it (origin: archive)."""

    address: str = Field(min_length=1, description="https address, or folder on this machine")
    sha256: Sha256 | None = Field(None, description="of its SHA256SUMS: pins every file")
