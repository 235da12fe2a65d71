"""What STIX 2.1 fixes by name, as tables: object types, the types that references may point to, properties that hold times.

Each table names the section of the OASIS Standard (10 June 2021) it was taken from. The rules that use them are in `stix_rules`.
"""

SDO_TYPES = frozenset(  # §4
    """attack-pattern campaign course-of-action grouping identity incident indicator infrastructure intrusion-set location malware
    malware-analysis note observed-data opinion report threat-actor tool vulnerability""".split()
)
SRO_TYPES = frozenset({"relationship", "sighting"})  # §5
SCO_TYPES = frozenset(  # §6
    """artifact autonomous-system directory domain-name email-addr email-message file ipv4-addr ipv6-addr mac-addr mutex network-traffic
    process software url user-account windows-registry-key x509-certificate""".split()
)
META_TYPES = frozenset({"extension-definition", "language-content", "marking-definition"})  # §7
VERSIONED_TYPES = SDO_TYPES | SRO_TYPES | META_TYPES  # those that must say their spec_version
STANDARD_TYPES = SDO_TYPES | SRO_TYPES | SCO_TYPES | META_TYPES

# Property of a type -> the types that it may point to, where the schemas do not say (§4 to §6).
REFERENCES: dict[str, dict[str, frozenset[str]]] = {
    "directory": {"contains_refs": frozenset({"file", "directory"})},
    "domain-name": {"resolves_to_refs": frozenset({"ipv4-addr", "ipv6-addr", "domain-name"})},
    "email-addr": {"belongs_to_ref": frozenset({"user-account"})},
    "email-message": {
        "from_ref": frozenset({"email-addr"}),
        "sender_ref": frozenset({"email-addr"}),
        "to_refs": frozenset({"email-addr"}),
        "cc_refs": frozenset({"email-addr"}),
        "bcc_refs": frozenset({"email-addr"}),
        "raw_email_ref": frozenset({"artifact"}),
    },
    "file": {"parent_directory_ref": frozenset({"directory"}), "content_ref": frozenset({"artifact"})},
    "ipv4-addr": {"resolves_to_refs": frozenset({"mac-addr"}), "belongs_to_refs": frozenset({"autonomous-system"})},
    "ipv6-addr": {"resolves_to_refs": frozenset({"mac-addr"}), "belongs_to_refs": frozenset({"autonomous-system"})},
    "malware": {"sample_refs": frozenset({"artifact", "file"})},
    "network-traffic": {
        "src_ref": frozenset({"ipv4-addr", "ipv6-addr", "mac-addr", "domain-name"}),
        "dst_ref": frozenset({"ipv4-addr", "ipv6-addr", "mac-addr", "domain-name"}),
        "src_payload_ref": frozenset({"artifact"}),
        "dst_payload_ref": frozenset({"artifact"}),
        "encapsulates_refs": frozenset({"network-traffic"}),
        "encapsulated_by_ref": frozenset({"network-traffic"}),
    },
    "process": {
        "opened_connection_refs": frozenset({"network-traffic"}),
        "creator_user_ref": frozenset({"user-account"}),
        "image_ref": frozenset({"file"}),
        "parent_ref": frozenset({"process"}),
        "child_refs": frozenset({"process"}),
    },
    "windows-registry-key": {"creator_user_ref": frozenset({"user-account"})},
}

# Property of a type -> the types that it may not point to, where custom types are welcome: it must be an SDO, an SCO and so on (§4 to §6).
_BUNDLE = frozenset({"bundle"})
BARRED_REFERENCES: dict[str, dict[str, frozenset[str]]] = {
    "file": {"contains_refs": VERSIONED_TYPES | _BUNDLE},
    "grouping": {"object_refs": _BUNDLE},
    "malware-analysis": {"analysis_sco_refs": VERSIONED_TYPES | _BUNDLE},
    "note": {"object_refs": _BUNDLE},
    "observed-data": {"object_refs": SDO_TYPES | META_TYPES | _BUNDLE},
    "opinion": {"object_refs": _BUNDLE},
    "relationship": {"source_ref": SRO_TYPES | META_TYPES | _BUNDLE, "target_ref": SRO_TYPES | META_TYPES | _BUNDLE},
    "report": {"object_refs": _BUNDLE},
    "sighting": {"sighting_of_ref": SCO_TYPES | SRO_TYPES | META_TYPES | _BUNDLE},
}

# As REFERENCES, for those inside an extension or a list of parts of an SCO: type -> path to the part -> property -> types.
PART_REFERENCES: dict[str, dict[tuple[str, ...], dict[str, frozenset[str]]]] = {
    "email-message": {("body_multipart",): {"body_raw_ref": frozenset({"artifact", "file"})}},
    "file": {("extensions", "archive-ext"): {"contains_refs": frozenset({"file", "directory"})}},
    "network-traffic": {("extensions", "http-request-ext"): {"message_body_data_ref": frozenset({"artifact"})}},
    "process": {("extensions", "windows-service-ext"): {"service_dll_refs": frozenset({"file"})}},
}

# Type -> properties that hold a timestamp. `created` and `modified` are added to all below.
_OWN_TIMESTAMPS: dict[str, tuple[str, ...]] = {
    "campaign": ("first_seen", "last_seen"),
    "directory": ("ctime", "mtime", "atime"),
    "email-message": ("date",),
    "file": ("ctime", "mtime", "atime"),
    "indicator": ("valid_from", "valid_until"),
    "infrastructure": ("first_seen", "last_seen"),
    "intrusion-set": ("first_seen", "last_seen"),
    "language-content": ("object_modified",),
    "malware": ("first_seen", "last_seen"),
    "malware-analysis": ("submitted", "analysis_started", "analysis_ended"),
    "network-traffic": ("start", "end"),
    "observed-data": ("first_observed", "last_observed"),
    "process": ("created_time",),
    "relationship": ("start_time", "stop_time"),
    "report": ("published",),
    "sighting": ("first_seen", "last_seen"),
    "threat-actor": ("first_seen", "last_seen"),
    "user-account": ("account_created", "account_expires", "credential_last_changed", "account_first_login", "account_last_login"),
    "windows-registry-key": ("modified_time",),
    "x509-certificate": ("validity_not_before", "validity_not_after"),
}
TIMESTAMPS = {kind: ("created", "modified", *names) for kind, names in _OWN_TIMESTAMPS.items()}

# Type -> paths to the timestamps inside its parts.
PART_TIMESTAMPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "file": (("extensions", "windows-pebinary-ext", "time_date_stamp"),),
    "x509-certificate": (
        ("x509_v3_extensions", "private_key_usage_period_not_before"),
        ("x509_v3_extensions", "private_key_usage_period_not_after"),
    ),
}

# Type -> (earlier, later, whether they may be equal): the later one is not before the earlier one.
TIME_ORDER: dict[str, tuple[str, str, bool]] = {
    "campaign": ("first_seen", "last_seen", True),
    "indicator": ("valid_from", "valid_until", False),
    "infrastructure": ("first_seen", "last_seen", True),
    "intrusion-set": ("first_seen", "last_seen", True),
    "malware": ("first_seen", "last_seen", True),
    "network-traffic": ("start", "end", True),
    "observed-data": ("first_observed", "last_observed", True),
    "relationship": ("start_time", "stop_time", False),
    "sighting": ("first_seen", "last_seen", True),
    "threat-actor": ("first_seen", "last_seen", True),
}

# SCO -> its ID contributing properties, where all of them are optional: without any of them the id is a UUID version 4 (§2.9).
ID_CONTRIBUTORS: dict[str, frozenset[str]] = {
    "artifact": frozenset({"hashes", "payload_bin"}),
    "email-message": frozenset({"from_ref", "subject", "body"}),
    "process": frozenset(),  # none at all (§6.13)
    "user-account": frozenset({"account_type", "user_id", "account_login"}),
    "windows-registry-key": frozenset({"key", "values"}),
    "x509-certificate": frozenset({"hashes", "serial_number"}),
}
