"""Validation: the hub's full check over `stix2.parse`, and what each of three validators says of objects that were broken on purpose.

The second is no matter of speed: the hub has to refuse whatever stix2-validator refuses. It stands here because the table is one of the
figures that the targets were set by.
"""

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import stix2
from stix2validator import ValidationOptions, validate_instance

from hub.domain.stix import Limits, read_object
from hub.errors import HubError
from tests.bench.content import CREATED, indicator, indicator_id
from tests.bench.mutants import mutants
from tests.bench.report import Finding, Target, markdown
from tests.bench.rounds import median_of
from tests.bench.settings import Settings

TARGET = Target(15)
ALL = Target(1)
_OBJECTS = 300
_LIMITS = Limits()

Check = Callable[[bytes], object]


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    kinds = {"1 kB indicators": [indicator(n) for n in range(_OBJECTS)], "mixed objects": mixed_objects(_OBJECTS)}
    for name, bodies in kinds.items():
        rounds = [(_per_s(_hub, bodies), _per_s(_stix2, bodies)) for _ in range(settings.rounds)]
        figures = [f"{median_of([rates[n] for rates in rounds])} objects/s" for n in (0, 1)]
        yield Finding(f"full validation, {name}", "", [a / b for a, b in rounds], TARGET, figures[0], f"stix2.parse {figures[1]}")
    yield _mutants_refused()


def mixed_objects(count: int) -> list[bytes]:
    """Return objects of six kinds in turn, indicators with patterns that are not plain comparisons among them."""
    bodies = []
    for n in range(count):
        type = _KINDS[n % len(_KINDS)]["type"]
        id = indicator_id(n).replace("indicator", type, 1)
        common = {"spec_version": "2.1", "id": id} | ({} if type == "ipv4-addr" else {"created": CREATED, "modified": CREATED})
        bodies.append(json.dumps(_filled(_KINDS[n % len(_KINDS)], n) | common).encode())
    return bodies


_KINDS: tuple[dict[str, Any], ...] = (
    {
        "type": "indicator", "pattern_type": "stix", "valid_from": CREATED, "indicator_types": ["malicious-activity"],
        "pattern": "[file:name = 'a{n}.exe' AND file:size > {n}] FOLLOWEDBY [ipv4-addr:value ISSUBSET '198.51.100.0/24'] WITHIN 60 SECONDS",
    },
    {
        "type": "malware", "name": "Malware {n}", "is_family": False, "malware_types": ["backdoor"],
        "description": "Seen in networks of type {n}.",
    },
    {"type": "ipv4-addr", "value": "198.51.100.{n}"},
    {"type": "identity", "name": "Grid {n}", "identity_class": "organization", "sectors": ["energy"]},
    {
        "type": "relationship", "relationship_type": "indicates",
        "source_ref": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "target_ref": "malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
    },
    {
        "type": "report", "name": "Report {n}", "report_types": ["threat-report"], "published": CREATED,
        "object_refs": ["indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"],
        "external_references": [{"source_name": "cert", "external_id": "{n}"}],
    },
)  # fmt: skip


def _filled(kind: dict[str, Any], n: int) -> dict[str, Any]:
    return {name: value.replace("{n}", str(n % 256)) if isinstance(value, str) else value for name, value in kind.items()}


def _hub(raw: bytes) -> object:
    return read_object(raw, limits=_LIMITS)


def _stix2(raw: bytes) -> object:
    return stix2.parse(json.loads(raw), allow_custom=True)


def _per_s(check: Check, bodies: list[bytes]) -> float:
    began = time.perf_counter()
    for raw in bodies:
        check(raw)
    return len(bodies) / (time.perf_counter() - began)


def _mutants_refused() -> Finding:
    """Print who refuses what, and return the share that the hub refuses of what stix2-validator refuses."""
    rows = [(name, *_verdicts(obj)) for name, obj in mutants().items()]
    print(markdown(("case", "hub", "stix2 (allow_custom)", "stix2-validator"), rows), flush=True)
    refused = [hub for _, hub, _, validator in rows if validator == "refuse"]
    share = refused.count("refuse") / len(refused)
    return Finding(
        "mutants that stix2-validator refuses", "", [share], ALL, f"refuses {refused.count('refuse')}", f"stix2-validator {len(refused)}"
    )


def _verdicts(obj: dict[str, Any]) -> tuple[str, ...]:
    raw = json.dumps(obj).encode()
    return _verdict(_hub, raw, HubError), _verdict(_stix2, raw, Exception), _verdict(_validated, raw, ValueError)


def _verdict(check: Check, raw: bytes, refusal: type[Exception]) -> str:
    try:
        check(raw)
    except refusal:
        return "refuse"
    return "accept"


def _validated(raw: bytes) -> None:
    if not validate_instance(json.loads(raw), ValidationOptions(version="2.1")).is_valid:
        raise ValueError
