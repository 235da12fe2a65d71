"""The form of advice on intellectual property: a report, measures, and the extension in which both carry their facts."""

from dataclasses import dataclass
from typing import Any

import stix2.v21 as stix

from hub.demo.author import Author, Sharing, object_id

IP_EXTENSION = object_id("ip-office", "extension-definition", "ip-protection")
IP_SCHEMA = "ip-protection-1.0.0.schema.json"  # beside this file


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing to do: `kind` is legal, people, physical, cyber, contract or governance; `effort` runs from 1 to 5."""

    key: str
    name: str
    kind: str
    effort: int
    principle: str
    stages: tuple[str, ...]
    description: str


def write_measures(office: Author, against: str, sharing: Sharing, days: float, *measures: Measure) -> list[str]:
    """Write courses of action and what they mitigate, and return the ids of all."""
    written: list[str] = []
    for measure in measures:
        facts = {
            "extension_type": "property-extension",
            "measure_type": measure.kind,
            "effort": measure.effort,
            "principle": measure.principle,
            "applies_to_stage": list(measure.stages),
        }
        action = office.write(
            stix.CourseOfAction,
            measure.key,
            sharing,
            days=days,
            name=measure.name,
            description=measure.description,
            extensions={IP_EXTENSION: facts},
        )
        written += [action.id, office.relate(action.id, "mitigates", against, sharing, days=days).id]
    return written


def write_report(office: Author, key: str, sharing: Sharing, days: float, name: str, text: str, refs: list[str], **facts: Any) -> Any:
    """Write a piece of advice; `facts` go into the extension."""
    return office.write(
        stix.Report,
        f"advice-{key}",
        sharing,
        days=days,
        name=name,
        description=text,
        published=office.ago(days),
        confidence=80,
        lang="en",
        report_types=["threat-report", "ip-protection-advisory"],
        object_refs=[object_id("ip-office", "identity", "audience"), *refs],
        extensions={IP_EXTENSION: {"extension_type": "property-extension", **facts}},
    )
