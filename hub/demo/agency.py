"""What the National Cyber Resilience Agency shares: advisories to everybody, warnings to those concerned, indicators as they come."""

import stix2.v21 as stix

from hub.demo.author import Author, Sharing, attack, object_id, phase
from hub.domain.label import Severity, Tlp
from hub.domain.marking import SHARING_EXTENSION

CLEAR, GREEN, AMBER = Sharing(Tlp.CLEAR), Sharing(Tlp.GREEN), Sharing(Tlp.AMBER)
ENERGY_AND_WATER = Sharing(Tlp.AMBER, sectors=("energy", "water"))
IMMINENT = Sharing(Tlp.AMBER, sectors=("energy", "water", "chemicals"), severity=Severity.IMMINENT)
IN_THE_CIRCLE = Sharing(Tlp.AMBER_STRICT, in_circle=True)
NAMED = Sharing(Tlp.RED, recipients=("energy", "telecoms"))


def advise(agency: Author) -> None:
    """Write what goes into the collection of advisories."""
    agency.introduce(
        "National Cyber Resilience Agency",
        ("government-national",),
        "Advises operators of essential services, runs the Operational Technology Circle and coordinates incidents of national weight. "
        "Duty officer: +44 1632 960100, day and night.",
        CLEAR,
        days=200,
    )
    _explain_sharing(agency)
    _silt_heron(agency)
    _low_tide(agency)
    _remote_access_appliance(agency)
    _exposed_panels(agency)
    _stolen_credentials(agency)
    _circle_analysis(agency)


def _explain_sharing(agency: Author) -> None:
    agency.objects.append(
        stix.ExtensionDefinition(
            id=SHARING_EXTENSION,
            created_by_ref=agency.id,
            created=agency.ago(200),
            modified=agency.ago(200),
            name="Fusion Hub sharing extension",
            version="1.0.0",
            extension_types=["property-extension"],
            description="Says more about the audience of an object than a TLP colour can: named recipients (member identities), the "
            "sectors that it concerns, its topic and its severity. `imminent` reaches every member that it concerns at once, up to "
            "TLP:AMBER.",
            schema="An object with the optional properties recipients (list of identity ids), sectors (list of industry-sector-ov), "
            "topic (string) and severity (routine or imminent), beside extension_type.",
            **CLEAR.properties(agency.circle),
        )
    )


def _silt_heron(agency: Author) -> None:
    """An actor that works its way from contractors' remote access into the engineering workstations of utilities."""
    actor = agency.write(
        stix.IntrusionSet,
        "silt-heron",
        GREEN,
        days=120,
        edited=6,
        name="SILT HERON",
        aliases=["Wading Bird"],
        first_seen=agency.ago(410),
        goals=["Hold lasting access to control networks of utilities", "Learn how operators restore service"],
        resource_level="organization",
        primary_motivation="organizational-gain",
        description="Takes over the remote-access accounts of maintenance contractors, then waits: in four of seven known intrusions it "
        "was in the engineering network for more than sixty days before it touched a controller. We attribute it to no state.",
    )
    techniques = [
        (
            "valid-accounts",
            "Valid accounts of maintenance contractors",
            "T0859",
            "initial-access",
            (
                "Signs in with accounts whose passwords were phished from contractors. Multi-factor prompts are sent at the hours of "
                "planned work."
            ),
        ),
        (
            "remote-services",
            "Exploitation of remote services in the engineering network",
            "T0866",
            "lateral-movement",
            "Moves from the jump host to engineering workstations over file shares that maintenance scripts need.",
        ),
        (
            "program-upload",
            "Upload of controller programs",
            "T0845",
            "collection",
            ("Reads projects from controllers and workstations with the vendor's own protocol. Looks like a back-up at an odd time."),
        ),
        (
            "standard-protocol",
            "Command and control over HTTPS in small requests",
            "T0869",
            "command-and-control",
            "Requests of at most 4 kB, spread over the contractor's usual working hours.",
        ),
    ]
    for key, name, technique, step, description in techniques:
        pattern = agency.write(
            stix.AttackPattern,
            key,
            GREEN,
            days=118,
            name=name,
            description=description,
            external_references=attack(technique),
            kill_chain_phases=phase(step),
        )
        agency.relate(actor.id, "uses", pattern.id, GREEN, days=118)


def _low_tide(agency: Author) -> None:
    """The actor's present campaign, and the advisory about it."""
    agency.write(
        stix.Report,
        "advisory-low-tide",
        GREEN,
        days=37,
        edited=6,
        published=agency.ago(37),
        report_types=["campaign", "threat-report"],
        name="Advisory 31: LOW TIDE reads controller projects at utilities",
        confidence=85,
        lang="en",
        description="SILT HERON copies controller projects from water and power utilities through the remote access of their "
        "contractors. What to do first: close standing remote access, check engineering workstations for a licence service that talks to "
        "the Internet, and report what you find, nil returns included. Edition 2 adds relays seen this week.",
        object_refs=_low_tide_facts(agency),
        external_references=[{"source_name": "Advisory", "external_id": "NCRA-31", "url": "https://ncra.example/advisories/31"}],
    )


def _low_tide_facts(agency: Author) -> list[str]:
    """Write what the advisory stands on, and return the ids of what every reader of the advisory may see."""
    actor = object_id("cyber-agency", "intrusion-set", "silt-heron")
    campaign = agency.write(
        stix.Campaign,
        "low-tide",
        GREEN,
        days=40,
        edited=6,
        name="LOW TIDE",
        first_seen=agency.ago(75),
        last_seen=agency.ago(8),
        objective="Copy controller projects from the engineering workstations of water and power utilities",
        description="The third wave of intrusions by SILT HERON. New in it is a purpose-made tool, PUMPHOUSE, that reads controller "
        "projects over the vendor's own protocol, so that nothing unusual is installed on the controller itself.",
    )
    pumphouse = agency.write(
        stix.Malware,
        "pumphouse",
        GREEN,
        days=38,
        name="PUMPHOUSE",
        is_family=True,
        malware_types=["spyware", "remote-access-trojan"],
        architecture_execution_envs=["x86"],
        capabilities=["communicates-with-c2", "exfiltrates-data"],
        first_seen=agency.ago(70),
        kill_chain_phases=phase("collection", "command-and-control"),
        description="Runs on engineering workstations under the name of the vendor's licence service. Reads controller projects and "
        "sends them out in HTTPS requests of at most 4 kB.",
    )
    relay = agency.write(
        stix.Infrastructure,
        "low-tide-relays",
        ENERGY_AND_WATER,
        days=30,
        edited=6,
        name="LOW TIDE relays",
        infrastructure_types=["command-and-control"],
        first_seen=agency.ago(60),
        last_seen=agency.ago(8),
        description="Rented virtual servers behind names that resemble suppliers of valves and pumps. Renewed about every three weeks.",
    )
    segregate = agency.write(
        stix.CourseOfAction,
        "jump-host",
        GREEN,
        days=38,
        name="Let contractors in by appointment only",
        description="Open remote access for a contractor when work is planned, by a person who was told of the work, and close it when "
        "the work ends. Record the session. It is the one measure that would have stopped all seven known intrusions.",
    )
    accounts = object_id("cyber-agency", "attack-pattern", "valid-accounts")
    links = [
        agency.relate(campaign.id, "attributed-to", actor, GREEN, days=38),
        agency.relate(campaign.id, "uses", pumphouse.id, GREEN, days=38),
        agency.relate(segregate.id, "mitigates", accounts, GREEN, days=38),
    ]
    agency.relate(pumphouse.id, "beacons-to", relay.id, ENERGY_AND_WATER, days=30)
    agency.relate(actor, "owns", relay.id, ENERGY_AND_WATER, days=30)
    return [campaign.id, actor, pumphouse.id, segregate.id, accounts, *(link.id for link in links)]


def _remote_access_appliance(agency: Author) -> None:
    """The imminent warning: it must reach every member that it concerns, whatever its standing."""
    flaw = agency.write(
        stix.Vulnerability,
        "gatepost-flaw",
        IMMINENT,
        days=1.2,
        name="Gatepost VPN 9.1: log-in page runs what it is sent",
        description="A request to the log-in page runs as root before anybody has signed in. No update yet. Exploited since the night "
        "before last.",
        external_references=[
            {"source_name": "vendor bulletin", "external_id": "GP-9-117", "url": "https://gatepost.example/bulletins/GP-9-117"}
        ],
    )
    switch_off = agency.write(
        stix.CourseOfAction,
        "gatepost-off",
        IMMINENT,
        days=1.2,
        name="Take the log-in page of Gatepost appliances off the Internet now",
        description="Allow it from known addresses only, or switch the appliance off. Restarting removes what the attacker ran, and the "
        "traces of it: take a memory image first, call us if you cannot.",
    )
    scanner = agency.indicate(
        "gatepost-scanner",
        IMMINENT,
        "[ipv4-addr:value = '203.0.113.77' OR ipv4-addr:value = '203.0.113.78']",
        days=1.2,
        valid_days=30,
        name="Hosts that exploit Gatepost appliances",
        indicator_types=["malicious-activity"],
        confidence=95,
        description="Both send the request within seconds of finding the log-in page. Anything from them to an appliance is hostile.",
    )
    dropped = agency.indicate(
        "gatepost-implant",
        IMMINENT,
        "[file:hashes.'SHA-256' = '7c5f2d1be90a43c6b1d5d83a4f0e6c27a9b8e35d1f604c72be90d35a7f18c462' AND file:name = 'libgpauth.so.2']",
        days=1.1,
        valid_days=60,
        name="Library left on Gatepost appliances",
        indicator_types=["malicious-activity"],
        confidence=90,
        description="Replaces the library that checks passwords: it lets the attacker in and writes down what others type.",
    )
    links = [
        agency.relate(scanner.id, "related-to", flaw.id, IMMINENT, days=1.1),
        agency.relate(dropped.id, "related-to", flaw.id, IMMINENT, days=1.1),
        agency.relate(switch_off.id, "mitigates", flaw.id, IMMINENT, days=1.1),
    ]
    agency.write(
        stix.Report,
        "alert-gatepost",
        IMMINENT,
        days=1,
        published=agency.ago(1),
        report_types=["threat-report", "vulnerability"],
        confidence=90,
        name="Alert: Gatepost VPN appliances are being taken over; act today",
        description="Two operators were broken into through their Gatepost appliance in the last 36 hours; in one case the attacker "
        "reached the network of the control room within forty minutes. Take the log-in page off the Internet today and tell us whether "
        "you are affected.",
        object_refs=[flaw.id, switch_off.id, scanner.id, dropped.id, *(link.id for link in links)],
    )


def _exposed_panels(agency: Author) -> None:
    """Guidance for everybody: nothing in it needs protection."""
    exposure = agency.write(
        stix.AttackPattern,
        "exposed-panel",
        CLEAR,
        days=90,
        name="Control panels that anybody can reach",
        kill_chain_phases=phase("initial-access"),
        external_references=attack("T0883"),
        description="Operator panels reached over mobile routers with the supplier's password, or with none.",
    )
    advice = [
        ("inventory", "Know what you expose", "Look for your own addresses in public scans each month, those of mobile routers included."),
        ("passwords", "Change what the supplier set", "Every panel, router and controller; keep the list where the night shift finds it."),
        ("one-way-in", "Keep one way in", "Close all access but one gateway with multi-factor sign-in, and watch that one."),
    ]
    measures = [
        agency.write(stix.CourseOfAction, f"panel-{key}", CLEAR, days=90, name=name, description=description)
        for key, name, description in advice
    ]
    links = [agency.relate(measure.id, "mitigates", exposure.id, CLEAR, days=90) for measure in measures]
    agency.write(
        stix.Report,
        "guidance-panels",
        CLEAR,
        days=88,
        published=agency.ago(88),
        report_types=["attack-pattern", "threat-report"],
        name="Guidance 12: control panels on the open Internet",
        confidence=95,
        description="We found 214 operator panels of small utilities on the open Internet in one week; 61 let us see live values without "
        "a password. Three measures, none of which costs more than a day, close nearly all of them.",
        object_refs=[exposure.id, *(written.id for written in [*measures, *links])],
    )


def _stolen_credentials(agency: Author) -> None:
    """For the two operators concerned alone."""
    offer = agency.write(
        stix.ObservedData,
        "credential-offer",
        NAMED,
        days=4,
        first_observed=agency.ago(5),
        last_observed=agency.ago(4),
        number_observed=2,
        object_refs=[
            agency.observe(stix.UserAccount, NAMED, user_id="svc-scada-backup", account_type="windows-domain", is_service_account=True).id,
            agency.observe(stix.UserAccount, NAMED, user_id="noc-oncall", account_type="unix", is_privileged=True).id,
        ],
    )
    agency.write(
        stix.Report,
        "notice-credentials",
        NAMED,
        days=4,
        published=agency.ago(4),
        report_types=["threat-report"],
        confidence=70,
        name="Notice to Northmoor Grid and Meridian Telecom: accounts of yours are for sale",
        description="A seller whose earlier offers proved genuine names one account in each of your networks and says that both still "
        "work. Change them before you look for their use: the seller watches for log-ins that fail.",
        object_refs=[offer.id],
    )


def _circle_analysis(agency: Author) -> None:
    """Work in progress, inside the sharing group."""
    pumphouse = object_id("cyber-agency", "malware", "pumphouse")
    analysis = agency.write(
        stix.MalwareAnalysis,
        "pumphouse-analysis",
        IN_THE_CIRCLE,
        days=12,
        product="circle-laboratory",
        version="3.2",
        result="malicious",
        analysis_started=agency.ago(14),
        analysis_ended=agency.ago(12),
        analysis_definition_version="2026-10",
        modules=["s7-emulator"],
        result_name="PUMPHOUSE.B",
    )
    agency.relate(analysis.id, "characterizes", pumphouse, IN_THE_CIRCLE, days=12)
    agency.write(
        stix.Grouping,
        "pumphouse-b",
        IN_THE_CIRCLE,
        days=11,
        name="PUMPHOUSE.B: does it write?",
        context="suspicious-activity",
        description="The newer sample holds code that could write to a controller, and we saw it used by nobody. Please look for project "
        "downloads that no engineer can explain before we say anything in public.",
        object_refs=[analysis.id, pumphouse],
    )
    agency.write(
        stix.Note,
        "pumphouse-b-note",
        IN_THE_CIRCLE,
        days=9,
        abstract="What the write routine would need",
        authors=["A. Lindqvist", "R. Okafor"],
        content="The routine stops where the controller's protection level is 2 or above. Members that keep level 3 as Advisory 31 asks "
        "are not in reach of it, as far as we understand the sample today.",
        object_refs=[analysis.id],
    )
