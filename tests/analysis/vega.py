"""Whether a chart is Vega-Lite, and reads only what its tables hold."""

import json
from typing import Any

from altair.vegalite.v6.schema.core import load_schema
from jsonschema.validators import validator_for


def hold_to_schema(figure: dict[str, Any]) -> None:
    """Of a chart with layers, each with the name of its table in `datasets`."""
    for layer in figure["layer"]:
        assert fields(layer["encoding"]) <= set(figure["datasets"][layer["data"]["name"]].columns)
    schema = load_schema()
    spec = figure | {"datasets": {name: [] for name in figure["datasets"]}}
    validator_for(schema)(schema).validate(json.loads(json.dumps(spec)))


def fields(encoding: object) -> set[str]:
    """The columns that an encoding reads."""
    if isinstance(encoding, list):
        return set().union(*map(fields, encoding))
    if not isinstance(encoding, dict):
        return set()
    return set().union(*map(fields, encoding.values())) | ({encoding["field"]} if "field" in encoding else set())
