"""The marking definitions of the Traffic Light Protocol: the four that STIX 2.1 fixes (§7.2.1.4) and the five of TLP 2.0.

Their ids mean one colour for ever. An object under such an id that says anything else is a forgery, whoever sends it.
"""

import re
from collections.abc import Mapping
from typing import Any

from hub.domain.json import excerpt
from hub.domain.label import Tlp
from hub.errors import Invalid

TLP2_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
TLP2_CREATED = "2022-10-01T00:00:00.000Z"
TLP1_CREATED = "2017-01-20T00:00:00.000Z"

_TLP1_COLOURS = {  # a colour of TLP 1 -> its id, and what it means in TLP 2.0
    "white": ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp.CLEAR),
    "green": ("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp.GREEN),
    "amber": ("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", Tlp.AMBER),
    "red": ("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Tlp.RED),
}
TLP2_IDS: Mapping[Tlp, str] = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}


def _tlp1(colour: str, marking_id: str) -> dict[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": marking_id,
        "created": TLP1_CREATED,
        "name": f"TLP:{colour.upper()}",
        "definition_type": "tlp",
        "definition": {"tlp": colour},
    }


def _tlp2(tlp: Tlp, marking_id: str) -> dict[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": marking_id,
        "created": TLP2_CREATED,
        "name": f"TLP:{tlp.value.upper()}",
        "extensions": {TLP2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": tlp.value}},
    }


TLP_DEFINITIONS: Mapping[str, Mapping[str, Any]] = {
    **{marking_id: _tlp1(colour, marking_id) for colour, (marking_id, _) in _TLP1_COLOURS.items()},
    **{marking_id: _tlp2(tlp, marking_id) for tlp, marking_id in TLP2_IDS.items()},
}
TLP_OF: Mapping[str, Tlp] = {
    **dict(_TLP1_COLOURS.values()),
    **{marking_id: tlp for tlp, marking_id in TLP2_IDS.items()},
}
_COLOUR_TEXTS = {**{colour: tlp for colour, (_, tlp) in _TLP1_COLOURS.items()}, **{tlp.value: tlp for tlp in Tlp}}
_SEPARATORS = re.compile(r"[ _+-]+")


def colour_named(text: object) -> Tlp | None:
    """Return the colour that `text` names in any common spelling (`tlp:amber+strict`, `TLP:WHITE`, `red`), or None."""
    if not isinstance(text, str):
        return None
    return _COLOUR_TEXTS.get(_SEPARATORS.sub("+", text.lower().removeprefix("tlp").strip(":_- ")))


def check_tlp_definition(properties: Mapping[str, Any]) -> None:
    """Refuse a marking definition under one of the nine fixed ids that does not say what the standard's says.

    What defines it is its name, its definition or extension, and its creation; anything else may be left out or added.

    Raises:
        Invalid: it says another colour, or something beside the colour.
    """
    standard = TLP_DEFINITIONS.get(properties["id"])
    if standard is None:
        return
    said = {colour_named(text) for text in _colours_said(properties)}
    if said != {TLP_OF[standard["id"]]}:
        raise Invalid(f"{standard['id']} is {standard['name']} for ever; this object says otherwise")
    if properties["created"][:19] != standard["created"][:19]:
        raise Invalid(f"created of {standard['name']} is {standard['created']}, not {excerpt(properties['created'])}")


def _colours_said(properties: Mapping[str, Any]) -> list[object]:
    """Return every text of a marking definition that names its colour; some writers put the label in `definition_type`."""
    said = [properties["name"]] if "name" in properties else []
    definition = properties.get("definition")
    if isinstance(definition, Mapping):
        said += definition.values()
    if properties.get("definition_type", "tlp") not in ("tlp", ""):
        said.append(properties["definition_type"])
    extension = properties.get("extensions", {}).get(TLP2_EXTENSION)
    if extension is not None:
        said.append(extension.get("tlp_2_0"))
    return said
