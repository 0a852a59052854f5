"""A data card of a source as Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html).

It describes the records as the study keeps them: the table, whose columns it names, and the signals. Croissant's
`datePublished` is left out: neither card nor records have a date.
"""

from typing import Any

from codeii.schema.results import File, Results, Source

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
TERMS = (
    *("citeAs", "column", "conformsTo", "equivalentProperty", "extract", "field", "fileProperty", "fileObject"),
    *("fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
    *("references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    **{term: f"cr:{term}" for term in TERMS},
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
DATA_TYPES = {"text": "sc:Text", "integer": "sc:Integer", "number": "sc:Float", "boolean": "sc:Boolean"}
FORMATS = {".parquet": "application/x-parquet", ".npy": "application/x-npy"}
UP = "../../../../"  # from results/published/documents/croissant to the folder the study ran in


def croissant(results: Results, source: Source) -> dict[str, Any]:
    """JSON-LD of one source; `contentUrl` leads from the card's own place to the files of the study."""
    card = source.card
    table = source.files[0]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": f"{source.name}_synthetic_twin" if source.synthetic else source.name,
        "description": _description(source),
        "conformsTo": CONFORMS_TO,
        "license": results.software.licence if source.synthetic else card["licence"],
        "url": _address(card, table),
        "version": str(card["version"]),
        "citeAs": card["citation"],
        "keywords": ["electrocardiography", "ECG", *(["synthetic data"] if source.synthetic else [])],
        "distribution": [_file(file) for file in source.files],
        "recordSet": [_records(source, table)],
    }


def _description(source: Source) -> str:
    facts, title = source.facts, source.card["title"]
    counts = f"{facts['records']} records of {facts['exams']} exams and {facts['patients']} patients"
    if source.synthetic:
        return (
            f"SYNTHETIC DATA: {counts}, drawn by a generator in the format of {title}. No person is behind them and "
            "nothing measured on them says anything about that data set, whose address and citation this card gives."
        )
    return f"{title}: {counts}, as read and checked by this study."


def _address(card: dict[str, Any], table: File) -> str:
    """Of the data set by its DOI; one without is named by the hash of its records."""
    doi = next(iter(str(card["doi"]).split()), "")
    return f"https://doi.org/{doi}" if doi.startswith("10.") else f"urn:sha256:{table.sha256}"


def _name(file: File) -> str:
    return "/".join(file.path.split("/")[3:])


def _file(file: File) -> dict[str, Any]:
    suffix = file.path[file.path.rfind(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": _name(file),
        "name": _name(file),
        "contentUrl": f"{UP}{file.path}",
        "contentSize": f"{file.bytes} B",
        "encodingFormat": FORMATS[suffix],
        "sha256": file.sha256,
    }


def _records(source: Source, table: File) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "records",
        "name": "records",
        "description": "One row for each record that was kept; `statements` is JSON, amplitudes are in microvolts.",
        "key": {"@id": "records/record_id"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"records/{column.name}",
                "name": column.name,
                "dataType": DATA_TYPES[column.kind],
                "source": {"fileObject": {"@id": _name(table)}, "extract": {"column": column.name}},
            }
            for column in source.columns
        ],
    }
