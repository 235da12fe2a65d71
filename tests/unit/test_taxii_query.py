import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.taxii import ALL_VERSIONS, Query, VersionMatch
from hub.errors import NotUnderstood
from hub.web.taxii_query import DELETION, LISTING, ONE_OBJECT, VERSIONS, Parameters, parse_query

NOON_US = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
ENDPOINTS = [LISTING, ONE_OBJECT, VERSIONS, DELETION]


def parse(text: str, parameters: Parameters = LISTING, values_max: int = 5) -> Query:
    return parse_query(text, parameters, match_values_max=values_max)


def test_no_parameters_ask_for_the_last_versions_from_the_start() -> None:
    assert parse("") == Query(versions=VersionMatch(all=False, first=False, last=True))


@pytest.mark.parametrize("parameters", [VERSIONS, DELETION])
def test_no_parameters_mean_all_versions_where_versions_are_listed_or_deleted(parameters: Parameters) -> None:
    assert parse("", parameters) == Query(versions=ALL_VERSIONS)


def test_all_parameters_are_read() -> None:
    matches = "match[id]=a,b&match[type]=indicator&match[version]=first&match[spec_version]=2.1"
    text = f"added_after=2026-01-01T12:00:00.000000Z&limit=7&next=ab-_9&{matches}"
    assert parse(text) == Query(NOON_US, 7, "ab-_9", ("a", "b"), ("indicator",), VersionMatch(first=True, last=False), ("2.1",))


def test_names_and_values_may_be_percent_encoded() -> None:
    assert parse("match%5Btype%5D=a%2Cb&added%5fafter=2026-01-01T13%3A00%3A00%2B01%3A00") == Query(NOON_US, types=("a", "b"))


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T12:00:00Z",
        "2026-01-01t12:00:00z",
        "2026-01-01T12:00:00.0Z",
        "2026-01-01T12:00:00.000Z",
        "2026-01-01T12:00:00.000000000Z",
        "2026-01-01T12:00:00.000000999Z",
        "2026-01-01T12:00:00%2B00:00",
        "2026-01-01T12:00:00+00:00",
        "2026-01-01T13:00:00+01:00",
        "2026-01-01T11:30:00-00:30",
    ],
)
def test_a_moment_may_be_written_as_clients_write_it(text: str) -> None:
    assert parse(f"added_after={text}").added_after_us == NOON_US


@pytest.mark.parametrize(
    "value", ["", "now", "1767268800", "2026-01-01", "2026-01-01T12:00:00", "2026-02-30T00:00:00Z", "2026-01-01T12:00:00.Z"]
)
def test_what_is_no_moment_is_refused_and_named(value: str) -> None:
    with pytest.raises(NotUnderstood, match=r"^added_after: "):
        parse(f"added_after={value}")


@pytest.mark.parametrize(("value", "limit"), [("1", 1), ("0005", 5), ("1000000000", 10**9)])
def test_a_limit_is_a_whole_number_above_0(value: str, limit: int) -> None:
    assert parse(f"limit={value}").limit == limit


@pytest.mark.parametrize("value", ["", "0", "000", "-1", "+1", "1.0", "1e3", "abc", "0x10", "%D9%A3", " 1", "1 "])
def test_what_is_no_limit_is_refused_and_named(value: str) -> None:
    with pytest.raises(NotUnderstood, match=r"^limit: "):
        parse(f"limit={value}")


def test_a_limit_of_very_many_digits_is_just_a_large_one() -> None:
    assert (parse("limit=" + "9" * 50_000).limit or 0) > 10**15


def test_an_empty_next_counts_as_absent() -> None:
    assert parse("next=").next is None


@pytest.mark.parametrize("name", ["added_after", "limit", "next", "match[id]", "match[type]", "match[version]", "match[spec_version]"])
def test_a_parameter_given_twice_is_refused(name: str) -> None:
    value = {"added_after": "2026-01-01T12:00:00Z", "match[version]": "all"}.get(name, "1")
    with pytest.raises(NotUnderstood, match="more than once"):
        parse(f"{name}={value}&{name}={value}")


def test_an_empty_next_given_twice_is_still_twice() -> None:
    with pytest.raises(NotUnderstood, match="more than once"):
        parse("next=&next=a")


@pytest.mark.parametrize("text", ["foo=1&foo=2", "match[confidence]=50", "sort=%ff", "%ff=1", "&&", "a", "=", "limits=0"])
@pytest.mark.parametrize("parameters", ENDPOINTS)
def test_what_the_endpoint_does_not_define_is_ignored(text: str, parameters: Parameters) -> None:
    assert parse(text, parameters) == parameters.absent


@pytest.mark.parametrize("text", ["match[id]=a&match[id]=b", "match[type]=", "match[type]=x"])
@pytest.mark.parametrize("parameters", [ONE_OBJECT, VERSIONS, DELETION])
def test_id_and_type_are_not_defined_for_a_single_object(text: str, parameters: Parameters) -> None:
    assert parse(text, parameters) == parameters.absent


def test_version_is_not_defined_for_the_list_of_versions() -> None:
    assert parse("match[version]=nonsense", VERSIONS) == Query(versions=ALL_VERSIONS)


@pytest.mark.parametrize(
    ("value", "versions"),
    [
        ("all", ALL_VERSIONS),
        ("last", VersionMatch(last=True)),
        ("first", VersionMatch(first=True, last=False)),
        ("first,last", VersionMatch(first=True, last=True)),
        ("2026-01-01T12:00:00.000Z", VersionMatch(last=False, exact_us=(NOON_US,))),
        ("last,2026-01-01T12:00:00Z,2026-01-01T12:00:01Z", VersionMatch(last=True, exact_us=(NOON_US, NOON_US + 1_000_000))),
    ],
)
def test_versions_may_be_named_and_joined(value: str, versions: VersionMatch) -> None:
    assert parse(f"match[version]={value}").versions == versions


@pytest.mark.parametrize(
    "value",
    [
        "",
        "newest",
        "all,last",
        "all,2026-01-01T12:00:00Z",
        "last,last",
        "2026-01-01T12:00:00Z,2026-01-01T12:00:00.0Z",
        "first,",
        "first, last",
        "ALL",
    ],
)
def test_versions_that_contradict_or_repeat_are_refused(value: str) -> None:
    with pytest.raises(NotUnderstood, match=r"^match\[version\]: "):
        parse(f"match[version]={value}")


@pytest.mark.parametrize("name", ["match[id]", "match[type]", "match[spec_version]"])
@pytest.mark.parametrize("value", ["", "a,", ",a", "a,,b"])
def test_an_empty_value_is_refused(name: str, value: str) -> None:
    with pytest.raises(NotUnderstood, match="empty"):
        parse(f"{name}={value}")


def test_as_many_values_as_allowed_are_taken_and_one_more_is_refused() -> None:
    assert parse("match[id]=a,b,c", values_max=3).ids == ("a", "b", "c")
    for name in ("match[id]", "match[type]", "match[version]", "match[spec_version]"):
        with pytest.raises(NotUnderstood, match="more than 3 values"):
            parse(f"{name}=a,b,c,d", values_max=3)


@pytest.mark.parametrize("value", ["%00", "a%00b", "%ff", "%ed%a0%80", "%0d%0a", "%1b[31m", "%e2%80%a8"])
def test_values_that_are_no_text_are_refused(value: str) -> None:
    for name in ("next", "match[id]", "match[type]", "match[version]", "added_after", "limit"):
        with pytest.raises(NotUnderstood, match="percent-encoded"):
            parse(f"{name}={value}")


@given(st.lists(st.tuples(st.sampled_from([*sorted(LISTING.names), "x"]), st.text()), max_size=4), st.sampled_from(ENDPOINTS))
def test_any_text_is_either_read_or_refused(pairs: list[tuple[str, str]], parameters: Parameters) -> None:
    try:
        query = parse("&".join(f"{name}={value}" for name, value in pairs), parameters)
    except NotUnderstood:
        return
    assert query.limit is None or query.limit > 0
    assert "" not in query.ids
