"""The connectors that are installed, and the sources that the settings make of them."""

from importlib.metadata import entry_points

from hub.config import Config
from hub.domain.connector import Connector, Source, describe_source
from hub.errors import ConfigError

GROUP = "fusion_hub.connectors"


def load_connector(name: str) -> Connector:
    """Return the connector with this entry point.

    Raises:
        ConfigError: nothing of this name is installed, or it is no connector.
    """
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        known = ", ".join(sorted(entry_points(group=GROUP).names)) or "none"
        raise ConfigError(f"connectors: {name} is not installed (entry points of {GROUP}: {known})")
    try:
        connector = found[0].load()
    except (ImportError, AttributeError) as e:
        raise ConfigError(f"connectors: {name} cannot be loaded from {found[0].value}: {e}") from e
    if not isinstance(connector, Connector):
        raise ConfigError(f"connectors: {found[0].value} is no Connector")
    return connector


def configured_sources(config: Config) -> list[Source]:
    """Return the sources that the settings describe, by name.

    Raises:
        ConfigError: a connector is missing or a table cannot be used.
    """
    connectors = {name: load_connector(name) for name in config.connectors}
    return [describe_source(name, table, connectors) for name, table in sorted(config.connector_settings.items())]
