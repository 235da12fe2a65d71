"""Names that the eye takes for one another: two of them are where their skeletons are equal (after Unicode's UTS #39, §4).

* The table is a choice among the confusables of UTS #39 (Unicode 15): letters of six scripts that pass for Latin ones, enough to write
  whole words with. What NFKD resolves (full width, mathematical letters, ligatures) needs no place in it.
* Coarser than UTS #39 in what nobody tells organisations apart by: case, accents, spaces and punctuation do not count.
"""
# ruff: noqa: RUF001 - characters that are taken for others are what this module is about

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from hub.domain.ids import MemberId
from hub.domain.member import Member

_NAME_CHARS_MAX = 1_000  # a longer name passes for no member's, which has 200 at most

# Pairs: a character, and the letter that it is taken for.
_PAIRS = """
    ıi ɩi ɪi Ɩi ǀi |i 1i ɑa ɡg ɣy ɯw ʋu ʏy ᴄc ᴏo ᴜu ᴠv ᴡw ᴢz ꜱs Ƅb ƽs 0o Øo øo
    Αa Βb Εe Ζz Ηh Ιi Κk Μm Νn Οo Ρp Τt Υy Χx Ϲc Ϳj αa γy ηn ιi κk νv οo ρp σo ςc τt υu χx ωw ϲc ϳj
    Аa Вb Еe Ѕs Іi Јj Кk Мm Нh Оo Рp Сc Тt Уy Хx Ьb Үy Һh Ӏi Ԍg Ԛq Ԝw Ѵv
    аa вb гr еe ѕs іi јj кk мm нh оo пn рp сc тt уy үy хx ьb һh ӏi ԁd ԛq ԝw ѵv шw ҽe
    Սu Տs Օo Լi հh ոn ռn սu ցg գq զq քf օo յj
    Ꭰd Ꭱr Ꭲt Ꭵi Ꭹy Ꭺa Ꭻj Ꭼe Ꮃw Ꮇm Ꮋh Ꮍy Ꮐg Ꮒh Ꮓz Ꮟb Ꮢr Ꮤw Ꮥs Ꮩv Ꮪs Ꮮi Ꮯc Ꮲp Ꮶk Ꮷd Ᏻg Ᏼb
    ꓐb ꓑp ꓒd ꓓd ꓔt ꓖg ꓗk ꓙj ꓚc ꓜz ꓝf ꓟm ꓠn ꓡi ꓢs ꓣr ꓦv ꓧh ꓪw ꓫx ꓬy ꓮa ꓰe ꓲi ꓳo ꓴu
"""
_LATIN = str.maketrans({pair[0]: pair[1] for pair in _PAIRS.split()})
_I_FOR_L = str.maketrans("l", "i")  # a capital I and a small l are one stroke; small letters are what is compared
_LATIN_ACCENTS = range(0x300, 0x370)


def skeleton(name: str) -> str:
    """Return what is left of a name where nothing counts that the eye misses; "" where it has neither letters nor digits."""
    apart = unicodedata.normalize("NFKD", name.translate(_LATIN))  # first: NFKD makes a sigma of the Greek letter that is like a C
    latin = apart.translate(_LATIN).casefold().translate(_I_FOR_L)
    return "".join(filter(_counts, latin)).replace("rn", "m").replace("vv", "w")


def find_look_alike(name: str, members: Iterable[Member], *, but: MemberId) -> Member | None:
    """Return a member other than `but` whose name looks like `name`."""
    look = skeleton(name) if len(name) <= _NAME_CHARS_MAX else ""
    return next((m for m in members if m.id != but and _kept_skeleton(m.name) == look), None) if look else None


_kept_skeleton = lru_cache(maxsize=10_000)(skeleton)


def _counts(character: str) -> bool:
    return character.isalnum() or (unicodedata.category(character)[0] == "M" and ord(character) not in _LATIN_ACCENTS)
