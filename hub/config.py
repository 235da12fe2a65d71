"""Settings: the only reader of the environment and of the TOML file.

Every setting has a default that is safe on a laptop. A value comes from, strongest first: an argument of the command, the
environment (`HUB_` and the name in capitals), the TOML file (`--config`, or `HUB_CONFIG`), the default below.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from hub.domain.naming import is_web_address
from hub.domain.signing.algorithms import Algorithm
from hub.errors import ConfigError

MIB = 1024 * 1024
_PORT_MAX = 65_535


def _setting(default: Any, doc: str, *, secret: bool = False, least: int | None = None) -> Any:
    metadata = {"doc": doc, "secret": secret, "least": least}
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of one process. Times end in their unit, limits in `_max`."""

    database_url: str = _setting("sqlite:///fusion-hub.sqlite3", "sqlite:///PATH (one process) or postgresql://… (any number)")
    listen_host: str = _setting("127.0.0.1", "address to listen on")
    listen_port: int = _setting(8460, "port to listen on; 0 takes a free one", least=0)
    public_url: str | None = _setting(None, "https address that members use; discovery then names absolute API Roots")
    workers: int = _setting(1, "processes that serve; more than one needs PostgreSQL", least=1)
    helpers: int = _setting(2, "processes beside each that serves which take from it what is computed of large pushes; 0: none", least=0)
    secret_key_file: Path | None = _setting(
        None, "file with the key under which token secrets are hashed (32 bytes or more); unset: one kept in the database"
    )
    keys_dir: Path | None = _setting(
        None, "directory of the hub's own keys; unset: `keys` beside an SQLite database, and with PostgreSQL the database itself, encrypted"
    )
    state_dir: Path | None = _setting(
        None,
        "directory in which this node remembers the log's last checkpoint; unset: that of its keys, else $STATE_DIRECTORY or the user's",
    )
    keys_passphrase_file: Path | None = _setting(None, "file with the passphrase of these keys; unset: one derived from the secret key")
    pkcs11_module: Path | None = _setting(None, "PKCS#11 library of a security module that holds the hub's keys instead")
    pkcs11_token: str | None = _setting(None, "label of its token")
    pkcs11_pin_file: Path | None = _setting(None, "file with the token's PIN")
    key_algorithms: tuple[str, ...] = _setting(
        ("Ed25519", "ES256"), "algorithms of keys that members may register; ML-DSA-44 and ML-DSA-65 are known, too"
    )
    object_key_beside: str | None = _setting(None, "ML-DSA-44 or ML-DSA-65: the hub signs its objects with such a key as well")
    log_witnesses: tuple[str, ...] = _setting(
        (), 'who cosigns checkpoints of the transparency log: "NAME+ID+KEY https://…", as `hub witness` shows it'
    )
    title: str = _setting("Fusion Hub", "title of the server in TAXII discovery")
    description: str | None = _setting(None, "description in TAXII discovery")
    contact: str | None = _setting(None, "contact in TAXII discovery and in the API description")
    membership_basis: str = _setting(
        "The terms of membership: what members share of their own accord to protect essential services",
        "the legal basis of sharing in collections that name no sharing agreement",
    )

    body_bytes_max: int = _setting(10 * MIB, "largest request body after decompression; TAXII max_content_length", least=1024)
    envelope_objects_max: int = _setting(100_000, "objects in one push", least=1)
    object_bytes_max: int = _setting(1 * MIB, "one STIX object", least=1024)
    push_inline_objects_max: int = _setting(2_000, "a push of more objects is answered `pending` and finished later", least=0)
    push_chunk_objects: int = _setting(
        2_000, "objects of several pushes that one transaction appends, or of a part of a push that is finished later", least=1
    )
    page_objects_default: int = _setting(1_000, "objects in a page for which the client names no limit", least=1)
    page_objects_max: int = _setting(5_000, "objects in a page at most", least=1)
    page_bytes_max: int = _setting(16 * MIB, "bytes of objects in a page at most; a page holds one object at least", least=1024)
    match_values_max: int = _setting(500, "values in one match[…] filter", least=1)
    request_line_bytes_max: int = _setting(65_536, "request line and each header", least=4096)
    headers_timeout_s: int = _setting(15, "time for a request's line and headers to arrive", least=1)
    body_timeout_s: int = _setting(60, "a request's body arrives within this", least=1)
    keepalive_s: int = _setting(75, "an idle connection is closed after this", least=1)
    connections_max: int = _setting(10_000, "open connections per process; more wait to be accepted", least=1)
    drain_s: int = _setting(30, "time to finish requests after SIGTERM", least=0)
    modified_ahead_s: int = _setting(86_400, "an object whose `modified` lies further in the future is refused", least=0)
    status_keep_h: int = _setting(72, "a status resource is kept for this after processing ended", least=24)

    requests_per_min: int = _setting(1_200, "requests a minute and credential, with bursts of a quarter of it; 0: no limit", least=0)
    objects_per_min: int = _setting(0, "objects pushed a minute and credential; 0: no limit", least=0)
    release_requests_max: int = _setting(20, "unanswered requests for wider release that a member may have at a time", least=0)
    anonymity_writers_min: int = _setting(5, "members among whom somebody can hide: fewer, and nothing is taken anonymously", least=2)
    message_signatures_required: bool = _setting(
        default=False, doc="take what members send only where one of their keys signed the request; false: only from members set so"
    )
    policy_approvals: int = _setting(1, "people whom a change of policies takes: 1, or 2 with a second person's approval", least=1)
    login_failures_max: int = _setting(10, "failed log-ins for an account or address within 15 minutes before it has to wait", least=1)

    webhooks_allow_http: bool = _setting(default=False, doc="send webhooks to http:// addresses, too: to try things, or on closed networks")
    webhooks_ports: tuple[str, ...] = _setting(("443", "8443"), "ports that webhooks may be sent to; empty: any")
    deliveries_keep_d: int = _setting(30, "days for which deliveries and their attempts are kept, dead letters included", least=1)
    streams_max: int = _setting(4, "live streams that a member may have open in one process; 0: none", least=0)

    tls_cert_file: Path | None = _setting(None, "certificate chain; set with tls_key_file to serve HTTPS directly")
    tls_key_file: Path | None = _setting(None, "private key of tls_cert_file")
    tls_client_ca_file: Path | None = _setting(None, "authorities whose client certificates are accepted on direct HTTPS")
    proxy_addresses: tuple[str, ...] = _setting((), "addresses or networks of reverse proxies whose headers are believed")
    proxy_certificate_header: str = _setting(
        "X-Client-Certificate", "header in which a proxy passes the verified client certificate (PEM, URL-escaped)"
    )
    metrics_addresses: tuple[str, ...] = _setting(("127.0.0.0/8", "::1/128"), "addresses or networks that may read /metrics")

    log_level: str = _setting("info", "debug, info, warning or error")
    connectors: tuple[str, ...] = _setting((), "connectors to load, by name of their entry point")
    connector_settings: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict, repr=False, metadata={"doc": "one table [connector.NAME] for each connector", "secret": False, "least": None}
    )

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded database is used."""
        return self.database_url.startswith("sqlite:")

    @property
    def keys_directory(self) -> Path | None:
        """Where files of the hub's own keys are; None where a security module or the database holds them."""
        if self.keys_dir is not None or not self.is_sqlite:
            return self.keys_dir
        return Path(self.database_url.removeprefix("sqlite:///")).parent / "keys"

    @property
    def memory_directory(self) -> Path | None:
        """Where this node remembers what the transparency log published; None: nowhere."""
        return self.state_dir if self.state_dir is not None else self.keys_directory

    def described(self) -> dict[str, object]:
        """Return every setting for people and logs, passwords cut out."""
        shown: dict[str, object] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            shown[f.name] = _without_password(value) if f.name == "database_url" else str(value) if isinstance(value, Path) else value
        shown["connector_settings"] = sorted(self.connector_settings)
        return shown


def load_config(path: Path | None = None, environ: Mapping[str, str] | None = None, **overrides: object) -> Config:
    """Read the settings and check them.

    Args:
        path: a TOML file; None takes `HUB_CONFIG`, or no file.
        environ: the environment; None takes the process's.
        overrides: settings given on the command line; None values are left out.
    Raises:
        ConfigError: an unknown setting, a value of the wrong kind or out of range, or settings that contradict each other.
    """
    environ = os.environ if environ is None else environ
    if path is None and environ.get("HUB_CONFIG"):
        path = Path(environ["HUB_CONFIG"])
    values: dict[str, Any] = _from_file(path) if path else {}
    hints = get_type_hints(Config)
    known = {f.name: f for f in fields(Config)}
    for name in known.keys() - {"connector_settings"}:
        if f"HUB_{name.upper()}" in environ:
            values[name] = _from_text(name, environ[f"HUB_{name.upper()}"], hints[name])
    if "connector_settings" in values:
        values["connector_settings"] = _with_environment(values["connector_settings"], environ)
    values.update({name: value for name, value in overrides.items() if value is not None})
    for name, value in values.items():
        values[name] = _checked(name, value, hints[name], known[name].metadata["least"])
    config = Config(**values)
    _check_together(config)
    return config if config.memory_directory is not None else replace(config, state_dir=_usual_state_directory(environ))


def _usual_state_directory(environ: Mapping[str, str]) -> Path | None:
    """Return where programs of this user keep their state (systemd.exec(5), XDG Base Directory); None where that cannot be written."""
    own, state, home = environ.get("STATE_DIRECTORY", "").partition(":")[0], environ.get("XDG_STATE_HOME"), environ.get("HOME")
    if not (own or state or home):
        return None
    place = Path(own) if own else Path(state or f"{home}/.local/state") / "fusion-hub"
    there = next(parent for parent in (place, *place.parents) if os.path.exists(parent))  # noqa: PTH110 - Path's raises where it may not look
    return place if there.is_dir() and os.access(there, os.W_OK | os.X_OK, effective_ids=True) else None


def defaults() -> dict[str, object]:
    """Return each setting's default, for the documents."""
    return {f.name: f.default_factory() if f.default_factory is not MISSING else f.default for f in fields(Config)}


def documented() -> dict[str, str]:
    """Return each setting's one-line description."""
    return {f.name: f.metadata["doc"] for f in fields(Config)}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"cannot read the settings file {path}: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path} is not TOML: {e}") from e
    connectors = table.pop("connector", {})
    unknown = sorted(table.keys() - {f.name for f in fields(Config)})
    if unknown:
        raise ConfigError(f"{path}: no such setting: {', '.join(unknown)}; deploy/hub.example.toml lists all settings")
    if not isinstance(connectors, dict) or not all(isinstance(v, dict) for v in connectors.values()):
        raise ConfigError(f"{path}: write the settings of a connector as a table [connector.NAME]")
    return {**table, "connector_settings": connectors} if connectors else table


def _from_text(name: str, text: str, hint: Any) -> Any:
    if get_origin(hint) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"HUB_{name.upper()}: true or false is needed, not {text!r}")
        return text.lower() == "true"
    if hint is int:
        try:
            return int(text)
        except ValueError as e:
            raise ConfigError(f"HUB_{name.upper()}: a whole number is needed, not {text!r}") from e
    return text or None if NoneType in get_args(hint) else text


def _with_environment(tables: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Add HUB_CONNECTOR_NAME_SETTING to the table of each connector, so that its password need not stand in a file."""
    merged = {name: dict(table) for name, table in tables.items()}
    prefixes = {f"HUB_CONNECTOR_{name.upper().replace('-', '_')}_": name for name in tables}
    for variable, value in environ.items():
        fitting = [prefix for prefix in prefixes if variable.startswith(prefix)]
        if fitting:
            prefix = max(fitting, key=len)  # of a connector `peer` and one `peer-two`
            merged[prefixes[prefix]][variable.removeprefix(prefix).lower()] = value
    return merged


def _checked(name: str, value: Any, hint: Any, least: int | None) -> Any:
    if name == "connector_settings":
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f"{name}: a list of texts is needed")
        return tuple(value)
    if hint is bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{name}: true or false is needed, not {value!r}")
        return value
    if hint is int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"{name}: a whole number is needed, not {value!r}")
        if least is not None and value < least:
            raise ConfigError(f"{name}: {value} is too small; {least} is the least")
        return value
    if Path in get_args(hint) and isinstance(value, str | Path):
        return Path(value)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{name}: a text is needed, not {value!r}")
    return value


def _check_together(config: Config) -> None:
    _check_database_url(config.database_url)
    if config.listen_port > _PORT_MAX:
        raise ConfigError(f"listen_port: {config.listen_port} is too large; {_PORT_MAX} is the most")
    if config.is_sqlite and config.workers > 1:
        raise ConfigError("workers: SQLite serves one process; set database_url to PostgreSQL for more, or workers to 1")
    if config.public_url is not None and not _is_base(config.public_url):
        raise ConfigError("public_url: write the address that members use, such as https://hub.example.org")
    if config.policy_approvals not in (1, 2):
        raise ConfigError("policy_approvals: 1, or 2 where a second person has to approve")
    if (config.tls_cert_file is None) != (config.tls_key_file is None):
        raise ConfigError("tls_cert_file and tls_key_file: set both or none")
    if config.tls_client_ca_file is not None and config.tls_cert_file is None:
        raise ConfigError("tls_client_ca_file: needs tls_cert_file; behind a proxy set proxy_addresses instead")
    _check_keys(config)
    if not all(map(_is_port, config.webhooks_ports)):
        raise ConfigError('webhooks_ports: numbers of ports, such as ["443", "8443"]')
    if config.log_level not in ("debug", "info", "warning", "error"):
        raise ConfigError("log_level: debug, info, warning or error")
    if config.page_objects_default > config.page_objects_max:
        raise ConfigError("page_objects_default: not above page_objects_max")


def _check_database_url(url: str) -> None:
    """Refuse what names no database. It is not repeated: a password may stand anywhere in what is miswritten."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that do not match
        parts = urlsplit("")
    if not re.match("sqlite:///.|postgresql://", url) or parts.scheme not in ("sqlite", "postgresql"):
        raise ConfigError("database_url: write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
    if parts.scheme == "postgresql":
        hosts = parts.netloc.rpartition("@")[2].split(",")
        ports = [host.rpartition("]")[2].partition(":")[2] for host in hosts]
        ports += [port for name, value in parse_qsl(parts.query) if name == "port" for port in value.split(",")]
        if not all(map(_is_port, filter(None, ports))):
            raise ConfigError(f"database_url: a port is a number up to {_PORT_MAX}; in a password write / as %2F, : as %3A and @ as %40")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) <= _PORT_MAX


def _is_base(text: str) -> bool:
    return is_web_address(text) and not urlsplit(text).query and not urlsplit(text).fragment


def _check_keys(config: Config) -> None:
    unknown = sorted(set(config.key_algorithms) - set(Algorithm))
    if unknown or not config.key_algorithms:
        raise ConfigError(f"key_algorithms: some of {', '.join(Algorithm)}")
    if config.object_key_beside is not None and config.object_key_beside not in (Algorithm.ML_DSA_44, Algorithm.ML_DSA_65):
        raise ConfigError("object_key_beside: ML-DSA-44 or ML-DSA-65")
    module = (config.pkcs11_module, config.pkcs11_token, config.pkcs11_pin_file)
    if any(module) and not all(module):
        raise ConfigError("pkcs11_module, pkcs11_token and pkcs11_pin_file: set all or none")


def _without_password(url: str) -> str:
    place, mark, query = url.partition("?")
    place = re.sub(r"^(\w+://[^:@/]*):.*@", r"\1:***@", place)
    return place + mark + "&".join(map(_without_value, query.split("&")))


def _without_value(parameter: str) -> str:
    name, mark, _ = parameter.partition("=")
    return f"{name}{mark}***" if unquote_plus(name).lower().endswith("password") else parameter
