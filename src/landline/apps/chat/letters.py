"""Which letters a name may be made of, and which of them a reader takes for one another.

``script_of`` is an allow-list of the scripts that living languages are written in, without the letters of each that are drawn as nothing
or like another one of the same script. ``skeleton`` folds what still looks alike over script and case (Unicode technical standard 39 has
the idea; its table of 10,000 pairs is not needed where a name keeps to one script). Neither is ever shown.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from typing import Final

# First and last code point. Han and kana are one: Japanese names mix them. Not here, on purpose: phonetic letters and small capitals (they
# are Latin ones to the eye), letters for clicks, archaic letters, tatweel, Hangul's fillers and single jamo, Khmer's inherent vowels,
# presentation forms, and scripts whose whole alphabet passes for Latin capitals (Cherokee, Lisu, Deseret, Coptic).
_SCRIPTS: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "Latin": (
        (0x41, 0x5A), (0x61, 0x7A), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x137), (0x139, 0x13E), (0x141, 0x148), (0x14A, 0x17E),
        (0x181, 0x181), (0x186, 0x186), (0x189, 0x18A), (0x18F, 0x192), (0x194, 0x194), (0x198, 0x199), (0x1A0, 0x1A1),
        (0x1AF, 0x1B0), (0x1B2, 0x1B4), (0x1CD, 0x1DC), (0x1E6, 0x1EB), (0x1F4, 0x1F5), (0x1F8, 0x1F9), (0x200, 0x21B),
        (0x21E, 0x21F), (0x226, 0x233), (0x253, 0x254), (0x256, 0x257), (0x259, 0x259), (0x25B, 0x25B), (0x263, 0x263),
        (0x28B, 0x28B), (0x1E00, 0x1E99), (0x1E9E, 0x1E9E), (0x1EA0, 0x1EF9),
    ),
    "Greek": ((0x386, 0x386), (0x388, 0x3CE), (0x1F00, 0x1FBC), (0x1FC2, 0x1FCC), (0x1FD0, 0x1FDB), (0x1FE0, 0x1FEC), (0x1FF2, 0x1FFC)),
    "Cyrillic": ((0x400, 0x45F), (0x490, 0x4FF)),
    "Armenian": ((0x531, 0x556), (0x561, 0x586)),
    "Hebrew": ((0x5B0, 0x5BC), (0x5C1, 0x5C2), (0x5C7, 0x5C7), (0x5D0, 0x5EA)),
    "Arabic": (
        (0x620, 0x63A), (0x641, 0x655), (0x660, 0x669), (0x670, 0x672), (0x679, 0x6D3), (0x6D5, 0x6D5), (0x6F0, 0x6F9),
    ),
    "Thaana": ((0x780, 0x7B1),),
    "Devanagari": ((0x900, 0x97F),),
    "Bengali": ((0x980, 0x9F1),),
    "Gurmukhi": ((0xA01, 0xA75),),
    "Gujarati": ((0xA81, 0xAEF),),
    "Oriya": ((0xB01, 0xB71),),
    "Tamil": ((0xB82, 0xBEF),),
    "Telugu": ((0xC00, 0xC6F),),
    "Kannada": ((0xC80, 0xCEF),),
    "Malayalam": ((0xD00, 0xD7F),),
    "Sinhala": ((0xD81, 0xDF3),),
    "Thai": ((0xE01, 0xE3A), (0xE40, 0xE59)),
    "Lao": ((0xE81, 0xEDF),),
    "Tibetan": ((0xF20, 0xF29), (0xF40, 0xF6C), (0xF71, 0xF84), (0xF90, 0xFBC)),
    "Burmese": ((0x1000, 0x109D),),
    "Georgian": ((0x10D0, 0x10F0),),
    "Ethiopic": ((0x1200, 0x135F),),
    "Khmer": ((0x1780, 0x17B3), (0x17B6, 0x17D3), (0x17E0, 0x17E9)),
    "Chinese or Japanese": (
        (0x3005, 0x3006), (0x3041, 0x3096), (0x309D, 0x309E), (0x30A1, 0x30FA), (0x30FC, 0x30FE), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
        (0x20000, 0x323AF),
    ),
    "Korean": ((0xAC00, 0xD7A3),),
}  # fmt: skip
_RANGES: Final = sorted(
    (first, last, script) for script, ranges in _SCRIPTS.items() for first, last in ranges
)
_FIRSTS: Final = [first for first, _, _ in _RANGES]

# Accents that alphabets with composed letters share: no joiner (U+034F), nothing that strikes a letter through or underlines it.
_ACCENTS: Final = range(0x300, 0x332)
_ACCENTED: Final = frozenset({"Latin", "Greek", "Cyrillic"})

# What is drawn like the key, after folding case and taking accents off. 0 and o, and i, l and 1, are alike in Latin itself: "h0st", "Iandline".
_ALIKE: Final = {
    "o": "0" "оοօ" "סםဝഠଠዐ" "هہھە",
    "l": "1i" "ıіӏιլ" "וןا丨",
    "a": "аαա", "b": "вьβ", "c": "сϲ", "e": "еε", "f": "ƒ", "g": "ց", "h": "нһհ", "j": "јյ", "k": "кκ", "m": "мμ", "n": "пηոռ",
    "p": "рρ", "q": "զգ", "r": "гʀ", "s": "ѕտ", "t": "тτ", "u": "υս", "v": "ν", "w": "ω", "x": "хχ", "y": "уүұγ", "z": "ζ",
    "3": "з", "4": "ч", "6": "б", "æ": "ӕ", "ə": "ә", "ç": "ҫ", "ħ": "ћђ",
    "ي": "یى", "ك": "ک",
    "へ": "ヘ", "り": "リ", "力": "カ", "二": "ニ", "八": "ハ", "卜": "ト", "夕": "タ", "才": "オ", "工": "エ", "口": "ロ", "千": "チ",
    "七": "セ", "一": "ー", "厶": "ム",
}  # fmt: skip
_FOLD: Final = {ord(letter): to for to, letters in _ALIKE.items() for letter in letters}
_CAPITALS: Final = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True))
"""Greek capitals that are drawn like Latin ones, where the small letters are drawn like others or like none."""
_STROKES: Final = str.maketrans("ħłđŧƙƴɓɗɖʋƒ", "hldtkybddvf")


def script_of(char: str) -> str:
    """Return the name of the script that the letter, mark or digit belongs to, or an empty string when it is none for a name.

    An ASCII digit and an accent belong to several scripts: they are not for this function to judge.
    """
    place = bisect_right(_FIRSTS, ord(char)) - 1
    if place < 0:
        return ""
    _, last, script = _RANGES[place]
    return script if ord(char) <= last and is_letter_mark_or_digit(char) else ""


def is_letter_mark_or_digit(char: str) -> bool:
    """Say whether the character is of a kind that words consist of."""
    category = unicodedata.category(char)
    return category[0] in "LM" or category == "Nd"


def is_mark(char: str) -> bool:
    """Say whether the character is drawn onto the letter before it."""
    return unicodedata.category(char)[0] == "M"


def may_be_accent(char: str, script: str = "Latin") -> bool:
    """Say whether the mark, which is of no script, may stand on a letter of this one."""
    return ord(char) in _ACCENTS and script in _ACCENTED


def with_ascii_digits(text: str) -> str:
    """Return the text with the decimal digits of every script as 0 to 9: many of them look like another digit, or like a letter."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def skeleton(text: str, *, bare: bool = False) -> str:
    """Return what two texts have in common that a reader takes for one another. It is for comparing, never for showing.

    Args:
        text: short: what this takes grows with the square of the marks on one letter.
        bare: accents and strokes do not count either.
    """
    apart = unicodedata.normalize("NFKD", text)
    if apart.isupper() and all(char in _CAPITALS for char in apart if char.isalpha()):
        apart = "".join(_CAPITALS.get(char, char) for char in apart)
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", apart).casefold())
    if bare:
        apart = "".join(char for char in apart if not is_mark(char)).translate(_STROKES)
    folded = with_ascii_digits(apart).translate(_FOLD)
    return folded.replace("l\u0307", "l").replace("j\u0307", "j")  # the dot of a capital that keeps it
