"""The agency's indicators of LOW TIDE: relays, the tool itself, and one that had to be withdrawn."""

import stix2.v21 as stix

from hub.demo.author import Author, Sharing, object_id, phase
from hub.domain.label import Tlp

MALICIOUS = ["malicious-activity"]


def share_relays(agency: Author) -> None:
    """The agency: the relays of LOW TIDE, one indicator each, and what they point to."""
    sharing = Sharing(Tlp.AMBER, sectors=("energy", "water"))
    pumphouse = object_id("cyber-agency", "malware", "pumphouse")
    relays = [
        ("valvetrade", "valvetrade-parts.example", "192.0.2.41", 29, 80),
        ("pumpsure", "pumpsure-service.example", "192.0.2.117", 29, 85),
        ("flowmark", "flowmark-support.example", "198.51.100.23", 21, 80),
        ("sealwright", "sealwright-docs.example", "198.51.100.190", 13, 75),
        ("actuline", "actuline-updates.example", "203.0.113.9", 6, 70),
    ]
    for key, domain, address, days, confidence in relays:
        relay = agency.indicate(
            f"relay-{key}",
            sharing,
            f"[domain-name:value = '{domain}'] OR [ipv4-addr:value = '{address}']",
            days=days,
            valid_days=45,
            name=f"LOW TIDE relay {domain}",
            indicator_types=MALICIOUS,
            confidence=confidence,
            kill_chain_phases=phase("command-and-control"),
            description="Named after a supplier of valves and pumps who has nothing to do with it. Check engineering workstations first.",
        )
        agency.relate(relay.id, "indicates", pumphouse, sharing, days=days)
    sample = agency.indicate(
        "pumphouse-a",
        sharing,
        "[file:hashes.'SHA-256' = '3ad1f0b7c95e42d88c6a7e15f0924bb3d86e5c17a2f94d0b8e63c15a7fd2904e']",
        days=37,
        valid_days=365,
        name="PUMPHOUSE.A",
        indicator_types=MALICIOUS,
        confidence=95,
    )
    agency.relate(sample.id, "indicates", pumphouse, sharing, days=37)
    agency.write(
        stix.Indicator,
        "relay-mistaken",
        sharing,
        days=25,
        edited=19,
        name="LOW TIDE relay (withdrawn)",
        indicator_types=["benign"],
        pattern="[ipv4-addr:value = '192.0.2.200']",
        pattern_type="stix",
        valid_from=agency.ago(25),
        revoked=True,
        description="Withdrawn: the address belongs to a mirror of operating system updates. Unblock it. We are sorry for the noise.",
    )
    agency.write(
        stix.Indicator,
        "pumphouse-hours",
        sharing,
        days=20,
        name="Small HTTPS requests from engineering networks",
        pattern_type="sigma",
        pattern_version="2.0",
        indicator_types=["anomalous-activity"],
        valid_from=agency.ago(20),
        confidence=50,
        pattern="title: Small HTTPS requests from an engineering network\nlogsource:\n  category: proxy\ndetection:\n  selection:\n"
        "    src_zone: engineering\n    cs-bytes|lte: 4096\n    dst_zone: internet\n  condition: selection | count() by src_ip > 200\n"
        "level: medium\n",
        description="Counts small requests out of the engineering network. Expect noise from licence checks; list those first.",
    )
