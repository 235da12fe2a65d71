"""What the Office for Intellectual Property Protection advises: who takes know-how, by which ways, and what to do about it.

The advice is plain STIX that any consumer can use; an extension adds the facts that a machine may filter by. Measures look at conduct,
never at where somebody comes from.
"""

import stix2.v21 as stix

from hub.demo.advice import IP_SCHEMA, Measure, write_measures, write_report
from hub.demo.author import Author, Sharing, object_id
from hub.domain.label import Tlp

CLEAR, GREEN = Sharing(Tlp.CLEAR), Sharing(Tlp.GREEN)


def advise(office: Author) -> None:
    """Write what goes into the collection on intellectual property."""
    office.introduce(
        "Office for Intellectual Property Protection",
        ("government-national",),
        "Advises firms and universities that work on sensitive technology, at home and through attachés abroad. Not legal advice.",
        CLEAR,
        days=200,
    )
    office.write(
        stix.ExtensionDefinition,
        "ip-protection",
        CLEAR,
        days=200,
        name="IP protection extension",
        version="1.0.0",
        extension_types=["property-extension"],
        schema=f"https://hub.example/schemas/{IP_SCHEMA}",
        description="Facts of advice on intellectual property that a consumer may filter by. On a report: what is at risk, in which way "
        "and at which stage, how to notice, until when the advice holds. On a course of action: kind, effort and principle. Vocabularies "
        "are open.",
    )
    office.write(
        stix.Identity,
        "audience",
        CLEAR,
        days=190,
        name="Suppliers of grid and water technology",
        identity_class="class",
        sectors=["energy", "water", "manufacturing"],
        description="Small and medium-sized firms above all: most of those we helped have under fifty staff.",
    )
    _joint_venture(office)
    _recruitment(office)
    _leaver(office)
    _design_theft(office)
    _visit(office)


_OF_A_VENTURE = (
    Measure(
        "milestones",
        "Tie each transfer to a payment that has arrived",
        "contract",
        2,
        "partnerships",
        ("contract", "delivery"),
        "List in the contract what is handed over at each stage. What is not listed is not handed over, whoever asks.",
    ),
    Measure(
        "black-box",
        "Ship the critical step as a sealed unit",
        "physical",
        4,
        "products",
        ("design", "delivery"),
        "Make the step that others cannot copy at home and deliver it closed, with service by your own staff.",
    ),
    Measure(
        "register-first",
        "Register designs and marks before the first meeting",
        "legal",
        2,
        "environment",
        ("research", "contract"),
        "Registration belongs to who files first in many markets; filing costs less than one flight.",
    ),
)


def _joint_venture(office: Author) -> None:
    trade = office.write(
        stix.AttackPattern,
        "staged-transfer",
        GREEN,
        days=95,
        name="Know-how drawn out in stages of a joint venture",
        description="Each milestone asks for a little more than the contract says, as the price of the next order: drawings first, then "
        "process parameters, then the engineers who know them. The venture ends when the last is delivered.",
    )
    market = office.write(
        stix.Location,
        "southern-delta",
        GREEN,
        days=95,
        name="Southern Delta manufacturing region",
        region="south-eastern-asia",
        description="Fictional. Most firms there deal fairly; the pattern was seen with three buyers of one group.",
    )
    office.relate(trade.id, "targets", object_id("ip-office", "identity", "audience"), GREEN, days=95)
    office.relate(trade.id, "targets", market.id, GREEN, days=95)
    measures = write_measures(office, trade.id, GREEN, 94, *_OF_A_VENTURE)
    write_report(
        office,
        "joint-venture",
        GREEN,
        92,
        "Advice 7: joint ventures that end when the know-how has arrived",
        "Four makers of valves and protection relays lost their process know-how to partners within eighteen months of signing. None was "
        "broken into. The advice lists the signs that all four saw too late, and three measures in the order in which to take them.",
        [trade.id, market.id, *measures],
        affected_ip_types=["know-how", "trade-secret", "design"],
        technology_areas=["advanced-materials", "energy"],
        lifecycle_stage="contract",
        vectors=["joint-venture", "supplier"],
        collaboration_risk={
            "level": 70,
            "factors": ["single buyer above half of turnover", "milestones without payment"],
            "due_diligence_steps": ["ask for two earlier partners", "check who owns the buyer in the company register"],
        },
        warning_signs=[
            "Questions about a step that the buyer does not need to run the product",
            "A second team that repeats every visit",
            "Payment held back until documents arrive that no contract names",
        ],
        legal_context=[
            {
                "jurisdiction": "GB",
                "regime": "National Security and Investment Act 2021",
                "note": "Transfers in named areas may have to be notified",
                "as_of": office.ago(92).date().isoformat(),
            }
        ],
        review_by=office.ago(-270).date().isoformat(),
    )


_OF_RECRUITMENT = (
    Measure(
        "say-so",
        "Make it easy to say: I was asked",
        "people",
        1,
        "threats",
        ("research", "production"),
        "Name one person to tell, promise that nobody loses by telling, and tell everybody what was heard, without names.",
    ),
    Measure(
        "side-work",
        "Have side work declared, and answer within a week",
        "governance",
        2,
        "threats",
        ("research",),
        "Engineers declare what they are paid for elsewhere. A slow or grudging answer teaches them not to ask.",
    ),
)


def _recruitment(office: Author) -> None:
    front = office.write(
        stix.ThreatActor,
        "talent-front",
        GREEN,
        days=70,
        name="PAPER LANTERN",
        threat_actor_types=["spy", "competitor"],
        primary_motivation="organizational-gain",
        sophistication="intermediate",
        goals=["Process parameters for high-voltage insulation"],
        description="Recruiters of consultancies that exist for a few months. They pay well for 'market interviews' with named engineers.",
    )
    approach = office.write(
        stix.AttackPattern,
        "paid-interview",
        GREEN,
        days=70,
        name="Paid interviews with engineers",
        description="Begins with a general talk over a professional network, paid at once. The third talk asks for a drawing 'to prepare'.",
    )
    office.relate(front.id, "uses", approach.id, GREEN, days=70)
    decoy = office.indicate(
        "interview-portal",
        GREEN,
        "[domain-name:value = 'insight-interviews.example']",
        days=69,
        valid_days=180,
        name="Portal of PAPER LANTERN",
        indicator_types=["attribution"],
        confidence=80,
        description="Invitations and payments came over this portal. Somebody in your firm who uses it has done nothing wrong: talk to "
        "them.",
    )
    office.relate(decoy.id, "indicates", front.id, GREEN, days=69)
    measures = write_measures(office, approach.id, GREEN, 69, *_OF_RECRUITMENT)
    write_report(
        office,
        "recruitment",
        GREEN,
        68,
        "Advice 8: paid interviews that are after drawings",
        "Twenty-three engineers at nine firms were interviewed for money about insulation of high-voltage equipment. Six noticed what it "
        "was for and said so; that is how we know.",
        [front.id, approach.id, decoy.id, *measures],
        affected_ip_types=["know-how", "trade-secret"],
        technology_areas=["energy", "advanced-materials"],
        lifecycle_stage="production",
        vectors=["recruitment"],
        warning_signs=["Payment before anything was asked", "Questions that name internal part numbers"],
        contacts=["advice@ip-office.example"],
        review_by=office.ago(-300).date().isoformat(),
        reciprocity={"offer": "One of us speaks to your engineers for an hour", "asks": ["Tell us of approaches, without names"]},
    )


def _leaver(office: Author) -> None:
    download = office.write(
        stix.AttackPattern,
        "leaver-download",
        CLEAR,
        days=130,
        name="Download of whole projects before leaving",
        external_references=[{"source_name": "mitre-attack", "external_id": "T1213", "url": "https://attack.mitre.org/techniques/T1213"}],
        description="In the four weeks before giving notice: whole folders, out of hours, to a private cloud store.",
    )
    measures = write_measures(
        office,
        download.id,
        CLEAR,
        129,
        Measure(
            "leaver-review",
            "Look back thirty days when somebody gives notice",
            "people",
            2,
            "environment",
            ("production",),
            "Look at downloads of the last thirty days with the person present. Most have a good reason; say thank you and close it.",
        ),
        Measure(
            "mark-crown",
            "Know your ten most valuable files",
            "governance",
            1,
            "environment",
            ("research", "design", "production"),
            "List them, say who needs them, and log who opens them. Ten files, not ten thousand.",
        ),
    )
    write_report(
        office,
        "leaver",
        CLEAR,
        128,
        "Advice 5: when somebody leaves",
        "Half of the losses that we helped to repair left with a person, in the last month before notice. Two measures find most of it "
        "and treat people fairly.",
        [download.id, *measures],
        affected_ip_types=["trade-secret", "source-code", "data"],
        technology_areas=["computing-hardware", "energy"],
        lifecycle_stage="production",
        vectors=["insider"],
        warning_signs=["Access to projects that are not the person's", "Large copies at night"],
        review_by=office.ago(-200).date().isoformat(),
    )


def _design_theft(office: Author) -> None:
    sharing = Sharing(Tlp.AMBER, sectors=("energy", "water"))
    campaign = office.write(
        stix.Campaign,
        "cut-sheet",
        sharing,
        days=34,
        name="CUT SHEET",
        first_seen=office.ago(140),
        last_seen=office.ago(40),
        objective="Designs of pumps and protection relays, for use in tenders against their owners",
        description="Mailboxes of tender teams are read. Twice a rival bid carried the victim's own drawing number.",
    )
    mail = office.write(
        stix.AttackPattern,
        "tender-mail",
        sharing,
        days=34,
        name="Reading the mailboxes of tender teams",
        external_references=[
            {"source_name": "mitre-attack", "external_id": "T1114.002", "url": "https://attack.mitre.org/techniques/T1114/002"}
        ],
    )
    office.relate(campaign.id, "uses", mail.id, sharing, days=34)
    office.relate(campaign.id, "targets", object_id("ip-office", "identity", "audience"), sharing, days=34)
    rule = office.indicate(
        "forwarding",
        sharing,
        "[email-addr:value = 'archive@tender-backup.example']",
        days=33,
        valid_days=120,
        name="Forwarding to a false archive",
        indicator_types=["malicious-activity"],
        confidence=85,
        description="Look for this address in forwarding rules, not only in sent mail.",
    )
    office.relate(rule.id, "indicates", campaign.id, sharing, days=33)
    measures = write_measures(
        office,
        mail.id,
        sharing,
        33,
        Measure(
            "tender-room",
            "Keep tenders out of mailboxes",
            "cyber",
            3,
            "products",
            ("contract",),
            "Share drawings of a tender in one place with a log, and send links. Refuse forwarding to other domains for the tender team.",
        ),
    )
    write_report(
        office,
        "design-theft",
        sharing,
        32,
        "Advice 9: somebody reads your tenders",
        "Three suppliers of water and power utilities lost tenders to bids that knew theirs. We found forwarding rules in two of them. "
        "If you buy from such firms, pass this to them: TLP:AMBER lets you.",
        [campaign.id, mail.id, rule.id, *measures],
        affected_ip_types=["design", "trade-secret"],
        technology_areas=["energy", "critical-suppliers-to-government"],
        lifecycle_stage="contract",
        vectors=["cyber"],
        warning_signs=["A rival bid just below yours, twice", "Drawing numbers of yours in other people's documents"],
        review_by=office.ago(-120).date().isoformat(),
    )


def _visit(office: Author) -> None:
    photograph = office.write(
        stix.AttackPattern,
        "visit-detour",
        CLEAR,
        days=60,
        name="Detours on a site visit",
        description="A visitor gets lost near the test stand, and takes pictures for a report. The others keep the host talking.",
    )
    measures = write_measures(
        office,
        photograph.id,
        CLEAR,
        60,
        Measure(
            "walk-through",
            "Walk the visitors' way the day before",
            "physical",
            1,
            "environment",
            ("production",),
            "See with their eyes what is on desks, screens and whiteboards. Cover it. Tell the hosts where the visit ends.",
        ),
    )
    report = write_report(
        office,
        "visit",
        CLEAR,
        58,
        "Advice 6: site visits",
        "Visits win orders, and nearly all visitors come for the reason that they give. Plan the way they walk, and they need not be "
        "watched.",
        [photograph.id, *measures],
        affected_ip_types=["know-how", "design"],
        technology_areas=["advanced-robotics", "energy"],
        lifecycle_stage="production",
        vectors=["visit"],
        warning_signs=["A changed list of names on the morning of the visit"],
        review_by=office.ago(-250).date().isoformat(),
    )
    office.write(
        stix.Note,
        "visit-question",
        CLEAR,
        days=45,
        abstract="Are phones to be taken from visitors?",
        authors=["Attaché service"],
        content="We were asked often. Only where the visit passes what you listed among your ten most valuable things; then tell them "
        "beforehand.",
        object_refs=[report.id],
    )
