"""What the operators of telecommunications and transport put into the collection of indicators."""

import stix2.v21 as stix

from hub.demo.author import Author, Sharing, object_id, phase
from hub.domain.label import Tlp

CLEAR, GREEN, RECIPROCAL = Sharing(Tlp.CLEAR), Sharing(Tlp.GREEN), Sharing(Tlp.GREEN, reciprocal=True)
MALICIOUS = ["malicious-activity"]


def share_telecoms(telecoms: Author) -> None:
    """Meridian Telecom: floods announced by extortion, and probing of signalling links."""
    telecoms.introduce(
        "Meridian Telecom", ("telecommunications",), "Fixed and mobile networks. Network operations: +44 1632 960455.", GREEN, days=160
    )
    _extortion(telecoms)
    _signalling(telecoms)


def share_transport(transport: Author) -> None:
    """Crossway Rail and Ports: ransomware that began at a freight terminal."""
    transport.introduce(
        "Crossway Rail and Ports", ("transportation",), "Rail freight, two ports, signalling. Cyber desk: +44 1632 960577.", GREEN, days=150
    )
    _stowaway(transport)
    _terminal(transport)


def _extortion(telecoms: Author) -> None:
    extortion = telecoms.write(
        stix.ThreatActor,
        "hollow-drum",
        GREEN,
        days=50,
        name="HOLLOW DRUM",
        threat_actor_types=["crime-syndicate"],
        roles=["agent"],
        sophistication="intermediate",
        primary_motivation="personal-gain",
        goals=["Payment to stop floods of traffic"],
        description="Sends a letter, floods for twenty minutes, asks for payment. Has not come back to anybody who did not answer.",
    )
    flood = telecoms.write(
        stix.Tool,
        "sip-flood",
        GREEN,
        days=50,
        name="sipdrum",
        tool_types=["denial-of-service"],
        description="Floods voice gateways with INVITE requests from forged numbers; the user agent is always the same.",
    )
    telecoms.relate(extortion.id, "uses", flood.id, GREEN, days=50)
    for number in (20, 21, 22, 23, 24, 25):
        reflector = telecoms.indicate(
            f"reflector-{number}",
            CLEAR,
            f"[ipv4-addr:value = '192.0.2.{number}']",
            days=48,
            valid_days=60,
            name=f"Source of INVITE floods 192.0.2.{number}",
            indicator_types=MALICIOUS,
            confidence=70,
        )
        telecoms.relate(reflector.id, "indicates", flood.id, CLEAR, days=48)


def _signalling(telecoms: Author) -> None:
    sector = Sharing(Tlp.AMBER, sectors=("communications", "telecommunications"))
    probe = telecoms.write(
        stix.AttackPattern,
        "signalling-probe",
        sector,
        days=27,
        name="Questions about subscribers over interconnect signalling",
        description="Asks for the location of our engineers' phones from a partner network whose contract ended in spring.",
        kill_chain_phases=phase("reconnaissance", chain="lockheed-martin-cyber-kill-chain"),
    )
    autonomous_system = telecoms.observe(stix.AutonomousSystem, sector, number=64511, name="Former roaming partner")
    source = telecoms.observe(stix.IPv4Address, sector, value="198.51.100.77", belongs_to_refs=[autonomous_system.id])
    telecoms.write(
        stix.ObservedData,
        "signalling-source",
        sector,
        days=26,
        first_observed=telecoms.ago(29),
        last_observed=telecoms.ago(26),
        number_observed=1204,
        object_refs=[source.id, autonomous_system.id],
    )
    telecoms.write(
        stix.CourseOfAction,
        "signalling-filter",
        sector,
        days=25,
        name="Refuse location questions from networks without a roaming contract",
        description="Filter category 2 messages at the edge; keep the list of contracts in the same place as the filter.",
    )
    telecoms.relate(object_id("telecoms", "course-of-action", "signalling-filter"), "mitigates", probe.id, sector, days=25)


def _stowaway(transport: Author) -> None:
    stowaway = transport.write(
        stix.Malware,
        "stowaway",
        RECIPROCAL,
        days=22,
        edited=17,
        name="STOWAWAY",
        is_family=True,
        malware_types=["ransomware"],
        capabilities=["infects-remote-machines", "exfiltrates-data"],
        first_seen=transport.ago(60),
        description="Encrypts virtual machine stores from the hypervisor, so that nothing on the machines themselves sees it. Copies "
        "berth and customs data first.",
    )
    crew = transport.write(
        stix.IntrusionSet,
        "bilge-crew",
        RECIPROCAL,
        days=22,
        name="BILGE CREW",
        primary_motivation="personal-gain",
        goals=["Ransom"],
        description="Works at weekends; asks the price of a week's berthing fees.",
    )
    transport.relate(crew.id, "uses", stowaway.id, RECIPROCAL, days=22)
    for key, digest, days in [
        ("loader", "b4e1c7d20a3f4968a5d1e07c92f6b83d41e8a90c5b7f2d63e04a9c81f7d5b206", 22),
        ("locker", "e91f3b6a7d084c25b8f0a61d3c97e542f08b1d6ea34c79520d8e6f1ba2c4d793", 22),
        ("leaker", "08c5a9e2f17b4d36945e3c0b8da172f6e7b90514c3da6f82b1e05d7c94a3f6e8", 17),
    ]:
        part = transport.indicate(
            f"stowaway-{key}",
            RECIPROCAL,
            f"[file:hashes.'SHA-256' = '{digest}']",
            days=days,
            valid_days=180,
            name=f"STOWAWAY {key}",
            indicator_types=MALICIOUS,
            confidence=95,
            kill_chain_phases=phase("actions-on-objectives", chain="lockheed-martin-cyber-kill-chain"),
        )
        transport.relate(part.id, "indicates", stowaway.id, RECIPROCAL, days=days)


def _terminal(transport: Author) -> None:
    sector = Sharing(Tlp.AMBER, sectors=("transport", "transportation"))
    stowaway = object_id("transport", "malware", "stowaway")
    for number, key in ((201, "staging"), (202, "leak-site")):
        server = transport.indicate(
            f"stowaway-{key}",
            sector,
            f"[ipv4-addr:value = '203.0.113.{number}']",
            days=20,
            valid_days=60,
            name=f"STOWAWAY {key} server",
            indicator_types=MALICIOUS,
            confidence=80,
        )
        transport.relate(server.id, "indicates", stowaway, sector, days=20)
    key = transport.observe(
        stix.WindowsRegistryKey,
        sector,
        key=r"HKEY_LOCAL_MACHINE\SOFTWARE\BerthPlan\Sync",
        values=[{"name": "Endpoint", "data": "203.0.113.201:8443", "data_type": "REG_SZ"}],
    )
    transport.write(
        stix.ObservedData,
        "berth-planner",
        sector,
        days=19,
        first_observed=transport.ago(24),
        last_observed=transport.ago(22),
        number_observed=3,
        object_refs=[key.id],
    )
    transport.write(
        stix.Report,
        "terminal-report",
        sector,
        days=16,
        published=transport.ago(16),
        report_types=["malware", "threat-report"],
        confidence=85,
        name="How STOWAWAY got into a freight terminal, hour by hour",
        description="From the berth planner's synchronisation account to the hypervisor in nine hours of a Saturday. What stopped it was "
        "an administrator who found that she was signed in twice. Timeline, traces and what we changed.",
        object_refs=[
            stowaway,
            object_id("transport", "intrusion-set", "bilge-crew"),
            *(object_id("transport", "indicator", f"stowaway-{part}") for part in ("loader", "locker", "leaker")),
        ],
    )
