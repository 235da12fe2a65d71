"""A faulty bundle is refused before anything is decided by it, saying where, what is wrong and what to write instead."""

import re
from pathlib import Path

import pytest

from hub.domain.policy import PolicyBundle
from hub.errors import ConfigError

SHIPPED = PolicyBundle.shipped_directory()
HEAD = '// a site\'s own\n\n@id("own")\n@reason("Because.")\n'
READ = 'permit (principal is Member, action == Action::"read", resource)'


def _shipped() -> dict[str, bytes]:
    return dict(PolicyBundle.load(SHIPPED).files)


def _refusal(files: dict[str, bytes]) -> str:
    with pytest.raises(ConfigError) as refused:
        PolicyBundle.from_files(files)
    return refused.value.detail


@pytest.mark.parametrize(
    ("text", "place", "wrong", "advice"),
    [
        (
            HEAD + READ + "\nwhen { resource.tpl == resource.tlp };",
            "site.cedar:6",
            "`tpl` on entity type `Label` not found",
            "did you mean tlp?",
        ),
        (HEAD + READ + '\nwhen { resource.tlp == Tlp::"purple" };', "site.cedar:6", '`Tlp::"purple"`', "write one of clear, green, amber"),
        (HEAD + READ + '\nwhen {\n  resource.tlp == "clear"\n};', "site.cedar:3", "String and Tlp are not compatible", 'Tlp::"clear"'),
        (HEAD + READ + "\nwhen { resource.producer == principal };", "site.cedar:6", "optional attribute `producer`", "resource has"),
        (HEAD + READ + '\nwhen { principal in Grop::"grid" };', "site.cedar:6", "Grop", "schema.cedarschema"),
        (HEAD + READ.replace('"read"', '"raed"') + ";", "site.cedar:5", "raed", "did you mean read?"),
        (HEAD + READ.replace("permit", "premit") + ";", "site.cedar:5", "premit", "write permit or forbid"),
        (HEAD + READ + "\nwhen { resource.tlp = principal.kind };", "site.cedar:3", "'=' is not a valid operator", "write =="),
        (HEAD + READ + "\nwhen { true }", "site.cedar:3", "unexpected end of input", "end the policy with ;"),
        (HEAD + READ + "\nwhen { true ) };", "site.cedar:3", "unexpected token `)`", "bracket"),
        (HEAD + READ + '\nwhen { resource.topic == "ip };', "site.cedar:3", "invalid token", "not closed"),
        (HEAD + "permit (principal == ?principal, action, resource);", "site.cedar:3", "template", "name the principal"),
        (HEAD.replace('@id("own")\n', "") + READ + ";", "site.cedar:3", "has no @id", 'write @id("'),
        (HEAD.replace('"own"', '"Own Rule"') + READ + ";", "site.cedar:3", "Own Rule", "what-it-does"),
        (HEAD.replace('@reason("Because.")\n', "") + READ + ";", "site.cedar:3", "has no @reason", "member concerned"),
        (HEAD.replace("Because.", " ") + READ + ";", "site.cedar:3", "has no @reason", "member concerned"),
        (HEAD.replace('"own"', '"tlp-clear"') + READ + ";", "tlp.cedar:4", "taken by site.cedar:3", "its own @id"),
    ],
)
def test_fault_is_refused_with_its_line_and_what_to_write(text: str, place: str, wrong: str, advice: str):
    detail = _refusal({**_shipped(), "site.cedar": text.encode()})
    assert detail.startswith(f"{place}: ")
    assert wrong in detail
    assert advice in detail


def test_line_of_a_fault_is_right_behind_comments_strings_and_other_policies():
    first = HEAD + READ + '\nwhen { resource.topic == "a;b // c" }; // permit; "\n\n'
    text = first + HEAD.replace("own", "next") + READ + "\nwhen { resource.tpl };"
    assert _refusal({**_shipped(), "site.cedar": text.encode()}).startswith('site.cedar:13: policy "next": ')


def test_all_faults_are_told_at_once():
    text = HEAD + READ + "\nwhen { resource.one };\n" + HEAD.replace("own", "next") + READ + "\nwhen { resource.two };"
    lines = _refusal({**_shipped(), "site.cedar": text.encode(), "sito.cedar": b"permit;"}).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["site.cedar:6", "site.cedar:12", "sito.cedar:1"]


def test_bytes_that_are_no_text_are_refused_with_their_line():
    assert _refusal({**_shipped(), "site.cedar": b"// one\n// \xff\n"}).startswith("site.cedar:2: byte 0xff is not UTF-8")


def test_bundle_without_schema_is_refused():
    files = {name: content for name, content in _shipped().items() if name != "schema.cedarschema"}
    assert _refusal(files).startswith("schema.cedarschema:1: there is no such file")


def test_file_of_another_sort_is_no_part_of_a_bundle():
    assert _refusal({**_shipped(), "notes.txt": b""}).startswith("notes.txt:1: ")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("entity Standing enum", "entity Standing enm", r"schema\.cedarschema:\d+: unexpected token"),
        ('"reader", ', "", r"schema\.cedarschema:1: action seeCollection is not declared as the hub asks it"),
        ("readAfter6h, ", "", r"schema\.cedarschema:1: action readAfter6h is not declared"),
        ("standing: Standing,", "", r"schema\.cedarschema:26: entity Member does not take what the hub hands to policies"),
        ('"utilities", "water"', '"utilities"', r"schema\.cedarschema:26: entity Member does not take"),
        ('enum ["routine", "imminent"]', 'enum ["imminent"]', r"schema\.cedarschema:47: entity Label does not take"),
    ],
)
def test_schema_that_lacks_what_the_hub_hands_over_is_refused(old: str, new: str, told: str):
    schema = _shipped()["schema.cedarschema"].decode()
    assert old in schema
    assert re.match(told, _refusal({"schema.cedarschema": schema.replace(old, new, 1).encode()}))


def test_site_may_add_to_the_schema():
    files = _shipped()
    files["schema.cedarschema"] += b'\nentity Treaty enum ["gdpr"];\n'
    assert PolicyBundle.from_files(files).rules.keys() == PolicyBundle.load(SHIPPED).rules.keys()


def test_missing_directory_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none: there is no such directory"):
        PolicyBundle.load(tmp_path / "none")
