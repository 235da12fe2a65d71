"""A connector: one file that reads a source of threat data, and the handle that its function is given.

- A connector only reads its source. The hub takes what it yields through admission, as the member that the settings name, and keeps the
  cursor that came with a batch once each object of the batch has its outcome: a connector killed anywhere goes on without a gap.
- Others bring their own by the entry point group `fusion_hub.connectors`; the hub names none.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.errors import ConfigError

Cursor = Mapping[str, Any]  # JSON; means something to the connector only

_HUB_SETTINGS_TEXT = ("kind", "collection", "member", "api_root")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a connector, as it stands in its table [connector.NAME] or in HUB_CONNECTOR_NAME_SETTING."""

    name: str
    doc: str
    default: str | int | None = None  # None: unset
    kind: type[str] | type[int] = str
    required: bool = False
    secret: bool = False  # never shown, logged or stored
    least: int = 1  # of a number


@dataclass(frozen=True, slots=True)
class Batch:
    """Objects that were fetched together, and from where to go on once they are in."""

    objects: tuple[bytes, ...]  # STIX objects as the source wrote them
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Feed:
    """What a connector's function is given."""

    settings: Mapping[str, Any] = field(repr=False)  # every setting of the connector, checked; None where unset
    cursor: Cursor | None  # where the last batch that is in ended; None at the very first run


@dataclass(frozen=True, slots=True)
class Connector:
    """A kind of source. `pull` yields what is new since `feed.cursor` and ends; the hub calls it again after a while.

    It raises Unavailable for a source that cannot be read now; what it yielded before stays.
    """

    name: str  # of its entry point
    doc: str
    settings: tuple[Setting, ...]
    pull: Callable[[Feed], AsyncGenerator[Batch, None]]

    def check(self, table: Mapping[str, Any], *, place: str) -> dict[str, Any]:
        """Return the connector's settings from a table, defaults filled in.

        Raises:
            ConfigError: a setting is unknown, missing or of the wrong kind; `place` names the table in the message.
        """
        known = {setting.name: setting for setting in self.settings}
        unknown = sorted(table.keys() - known.keys())
        if unknown:
            raise ConfigError(f"{place}: the connector {self.name} has no setting {', '.join(unknown)}; it has {', '.join(known)}")
        return {name: _value(setting, table.get(name), place) for name, setting in known.items()}


@dataclass(frozen=True, slots=True)
class Source:
    """A connector with its settings: what one table [connector.NAME] describes."""

    name: str
    connector: Connector
    settings: Mapping[str, Any] = field(repr=False)  # secrets among them
    member: str  # slug or id of the member under whose identity the objects are pushed
    collection: str  # id or alias
    api_root: str
    poll_interval_s: int


def describe_source(name: str, table: Mapping[str, Any], connectors: Mapping[str, Connector]) -> Source:
    """Return the source that a table [connector.NAME] describes.

    Raises:
        ConfigError: it cannot be used; says what to write.
    """
    place = f"[connector.{name}]"
    hub = {"api_root": "hub", "poll_interval_s": 300, **{key: value for key, value in table.items() if key in _HUB_SETTINGS}}
    for setting in _HUB_SETTINGS_TEXT:
        if not isinstance(hub.get(setting), str):
            raise ConfigError(f"{place}: set {setting} to a text")
    connector = connectors.get(hub["kind"])
    if connector is None:
        raise ConfigError(f'{place}: the connector {hub["kind"]} is not loaded; add it to the setting: connectors = ["{hub["kind"]}"]')
    interval = _number(_POLL_INTERVAL, hub["poll_interval_s"], place)
    settings = connector.check({key: value for key, value in table.items() if key not in _HUB_SETTINGS}, place=place)
    return Source(name, connector, settings, hub["member"], hub["collection"], hub["api_root"], interval)


_POLL_INTERVAL = Setting("poll_interval_s", "seconds between two runs", kind=int)
_HUB_SETTINGS = {*_HUB_SETTINGS_TEXT, _POLL_INTERVAL.name}


def _value(setting: Setting, given: Any, place: str) -> str | int | None:
    if given is None or given == "":
        if setting.required:
            raise ConfigError(f"{place}: set {setting.name}: {setting.doc}")
        return setting.default
    if setting.kind is int:
        return _number(setting, given, place)
    if not isinstance(given, str):
        raise ConfigError(f"{place}: {setting.name} is a text")
    return given


def _number(setting: Setting, given: Any, place: str) -> int:
    if isinstance(given, str) and given.isdecimal():  # from the environment
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool):
        raise ConfigError(f"{place}: {setting.name} is a whole number")
    if given < setting.least:
        raise ConfigError(f"{place}: {setting.name} is at least {setting.least}")
    return given
