"""The named limits on what may be pushed, in one value: settings make it, everything that reads STIX takes it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on a pushed body and on each of its objects; the defaults are what the hub ships with."""

    objects_max: int = 100_000  # objects in one envelope
    envelope_bytes_max: int = 65_536  # everything in an envelope beside its objects
    object_bytes_max: int = 4 * 1024 * 1024  # one object; the largest in public releases is 217 kB
    values_max: int = 50_000  # JSON values in one object; reading a value takes a microsecond
    depth_max: int = 64  # nesting of JSON arrays and objects of a body
    refs_max: int = 10_000  # entries of one list of references
    pattern_bytes_max: int = 32 * 1024  # a STIX pattern, as UTF-8
    pattern_depth_max: int = 64  # nesting of parentheses in a STIX pattern

    @property
    def object_depth_max(self) -> int:
        """Nesting of one object, which is two levels down in the body that brings it."""
        return self.depth_max - 2
