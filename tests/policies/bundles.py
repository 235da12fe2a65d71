"""Bundles that differ from the shipped one, as a site may write them."""

from hub.domain.policy import PolicyBundle

_POLICY = """
@id("circle-writes")
@reason("Only the circle of the grid writes at this time.")
forbid (principal is Member, action == Action::"writeCollection", resource)
unless { principal.groups.contains(SharingGroup::"grid") };
"""
_CASE = """
[[case]]
name = "who is outside the circle does not write"
member = { kind = "operator" }
collection = { writers = ["everyone"] }
action = "writeCollection"
role = "publisher"
expect = "deny"
rule = "circle-writes"
"""


def shipped_files() -> dict[str, bytes]:
    """Return the files that come with the hub."""
    return dict(PolicyBundle.load(PolicyBundle.shipped_directory()).files)


def files_with(policy: str, cases: str = "") -> dict[str, bytes]:
    """Return the shipped files and a site's own policy, with the cases that prove it."""
    more = {"site.cedar": policy.encode()} | ({"scenarios/site.toml": cases.encode()} if cases else {})
    return shipped_files() | more


def unwritable_files() -> dict[str, bytes]:
    """Return the files of a bundle that passes every check, and lets nobody write."""
    return files_with(_POLICY, _CASE)
