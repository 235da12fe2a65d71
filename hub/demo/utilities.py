"""What the operators of energy and water put into the collection of indicators, and what they make of the agency's."""

import stix2.v21 as stix

from hub.demo.author import Author, Sharing, attack, object_id, phase
from hub.domain.label import Tlp

GREEN, ENERGY = Sharing(Tlp.GREEN), Sharing(Tlp.AMBER, sectors=("energy",))
MALICIOUS = ["malicious-activity"]


def share_energy(energy: Author) -> None:
    """Northmoor Grid: an intrusion at a contractor, told to the sector, and what was seen of the agency's relays."""
    energy.introduce(
        "Northmoor Grid plc", ("energy",), "Transmission and distribution of electricity. Security desk: +44 1632 960211.", GREEN, days=180
    )
    _lure(energy)
    _contractor(energy)
    _report_relays(
        energy,
        ENERGY,
        ("relay-flowmark", 3, 18, "Three lookups from one workstation in planning. Reimaged; no sign of PUMPHOUSE."),
        ("relay-valvetrade", 0, 20, "Looked back 90 days in DNS and proxy logs of both control centres: nothing."),
        ("relay-pumpsure", 0, 20, "Looked back 90 days in DNS and proxy logs of both control centres: nothing."),
    )
    for number in (12, 13, 58, 59, 60):
        energy.indicate(
            f"iec104-scan-{number}",
            GREEN,
            f"[network-traffic:src_ref.value = '198.51.100.{number}' AND network-traffic:dst_port = 2404]",
            days=7,
            valid_days=14,
            name=f"Scanner for IEC 60870-5-104 at 198.51.100.{number}",
            indicator_types=["anomalous-activity"],
            confidence=60,
        )


def _lure(energy: Author) -> None:
    mail = energy.observe(stix.EmailAddress, ENERGY, value="planning@northmoor-outages.example", display_name="Outage planning")
    message = energy.observe(
        stix.EmailMessage,
        ENERGY,
        is_multipart=False,
        from_ref=mail.id,
        subject="Switching programme week 47: please confirm",
        date=energy.ago(16),
    )
    page = energy.observe(stix.URL, ENERGY, value="https://northmoor-outages.example/confirm?week=47")
    energy.write(
        stix.ObservedData,
        "contractor-mail",
        ENERGY,
        days=15,
        first_observed=energy.ago(16),
        last_observed=energy.ago(15.5),
        number_observed=11,
        object_refs=[mail.id, message.id, page.id],
    )
    lure = energy.indicate(
        "outage-lure",
        ENERGY,
        "[domain-name:value = 'northmoor-outages.example'] OR [url:value LIKE 'https://northmoor-outages.example/%']",
        days=15,
        name="False outage planning page",
        indicator_types=MALICIOUS,
        confidence=90,
        kill_chain_phases=phase("initial-access"),
        description="Asks contractors to confirm a switching programme and takes their VPN password. Eleven people got it, two answered.",
    )
    phishing = energy.write(
        stix.AttackPattern,
        "switching-lure",
        ENERGY,
        days=15,
        name="Lure that quotes a real switching programme",
        external_references=attack("T0865"),
        kill_chain_phases=phase("initial-access"),
        description="The week and the substation were right. The plan is sent to forty contractors, so one of their mailboxes is being "
        "read.",
    )
    energy.relate(lure.id, "indicates", phishing.id, ENERGY, days=15)


def _contractor(energy: Author) -> None:
    strict = Sharing(Tlp.AMBER_STRICT, sectors=("energy",))
    incident = energy.write(
        stix.Incident,
        "contractor-intrusion",
        strict,
        days=14,
        edited=10,
        name="Contractor's account used on our jump host",
        description="One of the two accounts was used on the jump host for nineteen minutes, outside planned work. No engineering "
        "workstation was reached. Closed: the account was disabled and sessions of contractors are now opened by appointment.",
    )
    energy.relate(incident.id, "related-to", object_id("energy", "attack-pattern", "switching-lure"), strict, days=14)
    energy.write(
        stix.Note,
        "contractor-lesson",
        strict,
        days=10,
        abstract="What we would do sooner",
        authors=["Northmoor security desk"],
        content="The prompt for the second factor was approved because work was planned for that hour. We now show the site name in the "
        "prompt.",
        object_refs=[incident.id],
    )


def share_water(water: Author) -> None:
    """Calder Vale Water: reports back, nil returns included, and works with the circle."""
    sector = Sharing(Tlp.AMBER, sectors=("water", "energy"))
    water.introduce(
        "Calder Vale Water",
        ("water",),
        "Drinking water and waste water for 2.1 million people. Control room: +44 1632 960333.",
        GREEN,
        days=170,
    )
    _report_relays(
        water,
        sector,
        ("relay-sealwright", 1, 11, "One request from the workstation at the Skelbrook works, blocked. Workstation kept for analysis."),
        ("relay-valvetrade", 0, 24, "Nil return: 120 days of proxy logs."),
        ("relay-pumpsure", 0, 24, "Nil return: 120 days of proxy logs."),
        ("relay-flowmark", 0, 19, "Nil return: 120 days of proxy logs."),
        ("relay-actuline", 0, 5, "Nil return: 30 days of proxy logs, 120 days of DNS."),
    )
    water.write(
        stix.Opinion,
        "relay-mistaken",
        sector,
        days=22,
        opinion="strongly-disagree",
        authors=["Calder Vale control room"],
        explanation="This address serves operating system updates to our laboratory; blocking it stopped them. Please withdraw the "
        "indicator.",
        object_refs=[object_id("cyber-agency", "indicator", "relay-mistaken")],
    )
    _treatment_works(water)
    _modems(water)


def _treatment_works(water: Author) -> None:
    circle = Sharing(Tlp.AMBER_STRICT, in_circle=True)
    image = water.observe(
        stix.File,
        circle,
        name="LicenceSvc.exe",
        size=418_304,
        hashes={"SHA-256": "3ad1f0b7c95e42d88c6a7e15f0924bb3d86e5c17a2f94d0b8e63c15a7fd2904e"},
    )
    process = water.observe(
        stix.Process, circle, pid=4312, command_line="LicenceSvc.exe -k netsvc", created_time=water.ago(11.5), image_ref=image.id
    )
    observed = water.write(
        stix.ObservedData,
        "skelbrook",
        circle,
        days=10,
        first_observed=water.ago(12),
        last_observed=water.ago(11),
        number_observed=1,
        object_refs=[image.id, process.id],
    )
    water.write(
        stix.Note,
        "skelbrook-note",
        circle,
        days=9,
        abstract="PUMPHOUSE at a treatment works",
        content="The workstation holds the projects of four dosing controllers, all at protection level 3. We compared them with the "
        "signed copies in the safe: no difference. We can lend the disk image to members of the circle.",
        object_refs=[observed.id, object_id("cyber-agency", "malware", "pumphouse")],
    )


def _modems(water: Author) -> None:
    modem = water.write(
        stix.Infrastructure,
        "modem-takeover",
        GREEN,
        days=33,
        name="Taken-over telemetry modems",
        infrastructure_types=["botnet"],
        description="Mobile modems of one make at pumping stations were made to relay other people's traffic. Telemetry went on.",
    )
    for number in (140, 141, 142):
        bot = water.indicate(
            f"modem-control-{number}",
            GREEN,
            f"[network-traffic:src_ref.value = '203.0.113.{number}' AND network-traffic:dst_port = 7547]",
            days=33,
            valid_days=60,
            name=f"Controls taken-over modems from 203.0.113.{number}",
            indicator_types=MALICIOUS,
            confidence=75,
        )
        water.relate(bot.id, "indicates", modem.id, GREEN, days=33)


def _report_relays(operator: Author, sharing: Sharing, *seen: tuple[str, int, float, str]) -> None:
    """Report back on indicators of the agency, each by key: how often it was seen, how many days ago, and what was looked at."""
    for key, count, days, summary in seen:
        indicator = object_id("cyber-agency", "indicator", key)
        times = {"first_seen": operator.ago(days + 2), "last_seen": operator.ago(days)} if count else {}
        operator.sight(f"sight-{key}", indicator, sharing, days=days, count=count, summary=summary, **times)
