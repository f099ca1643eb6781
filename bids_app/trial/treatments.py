"""The treatments of a cross-over trial: what the tables and the labels of the sessions call them."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bids_app.bids.values import Codebook, in_order, match
from bids_app.errors import UsageError
from bids_app.settings.settings import Trial
from bids_app.trial.arms import REFERENCE_LEVELS
from bids_app.trial.session_labels import meaning_of

Order = tuple[str, ...]  # treatments, first to last
LONGEST_NAME = 30  # what a sidecar says of a code is its name if it is no longer than that
ARTICLES = re.compile(r"\b(first|then|followed by|before|to|and|crossed over)\b|->|[-–—_/,;>→|+]")


@dataclass(frozen=True)
class Treatments:
    """The treatments that everyone is given in turn.

    Attributes
    ----------
    names : tuple of str
        The reference last: differences are those of the others from it.
    words : dict of str
        Name by every word that is written for it, in lower case.
    """

    names: Order
    words: Mapping[str, str]

    @property
    def both(self) -> tuple[str, str]:
        """The active and the reference treatment, where there are two."""
        active, reference = self.names
        return active, reference

    def named(self, word: str) -> str | None:
        """Return the treatment that a word is written for, or None."""
        name = self.words.get(word.lower())
        return name if name in self.names else None

    def other(self, name: str) -> str:
        """Return the other one of the two."""
        return self.both[name == self.both[0]]

    def of_session(self, label: str) -> tuple[str, str] | None:
        """Return the treatment that the label of a session says, and the rest of the label; or None.

        Examples
        --------
        >>> two = Treatments(("ketamine", "placebo"), {"d": "ketamine", "ketamine": "ketamine", "placebo": "placebo"})
        >>> two.of_session("d10"), two.of_session("ses2placebo"), two.of_session("day2"), two.of_session("b0")
        (('ketamine', '10'), ('placebo', 'ses2'), None, None)
        """
        plain = label.lower()
        for word in sorted(self.words, key=len, reverse=True):
            rest = plain.removeprefix(word) if plain.startswith(word) else plain.removesuffix(word)
            fits = rest == "" or rest.isdigit() if len(word) < 3 else True
            if rest != plain and fits and (name := self.named(word)):
                return name, rest
        return None


def read_order(word: str, codebook: Codebook) -> Order | None:
    """Read what a word says of the order of treatments: what is said of its level, else the word itself.

    Examples
    --------
    >>> nothing = Codebook({})
    >>> read_order("drug-placebo", nothing), read_order("ketamine then placebo", nothing), read_order("AB", nothing)
    (('drug', 'placebo'), ('ketamine', 'placebo'), ('A', 'B'))
    >>> read_order("placebo first", nothing), read_order("1", Codebook({"1": "Placebo, then ketamine"}))
    (('placebo',), ('Placebo', 'ketamine'))
    >>> read_order("unknown", nothing)
    """
    code = match(word, codebook.levels)
    return (None if code is None else _order(codebook.levels[code])) or _order(word)


def _order(text: str) -> Order | None:
    parts = [part.strip(" .()") for part in ARTICLES.split(text) if part]
    words = tuple(part for part in parts if part and not ARTICLES.fullmatch(part))
    if len(words) > 1 or (len(words) == 1 and re.search(r"\bfirst\b", text)):
        return words
    letters = tuple(text.strip())
    return letters if len(letters) == 2 and len(set(letters)) == 2 and text.strip().isalpha() else None


def in_letters(words: Collection[str]) -> bool:
    """Say whether words are orders of three periods or more in letters: all as long, of no more letters than periods.

    Examples
    --------
    >>> in_letters(["ABB", "BAA"]), in_letters(["ABC", "CAB", "BCA"]), in_letters(["KET", "PLA"])
    (True, True, False)
    """
    distinct, letters = set(words), set("".join(words))
    periods = {len(word) for word in distinct}
    written = all(word.isalpha() and word.isupper() for word in distinct)
    return written and len(distinct) > 1 and len(periods) == 1 and max(periods) > 2 and len(letters) <= max(periods)


def name_of(word: str, codebook: Codebook) -> str:
    """Return what a word of a column of treatments is called: what is said of its level, if that is a name."""
    code = match(word, codebook.levels)
    meaning = "" if code is None else codebook.levels[code].strip()
    return meaning if 0 < len(meaning) <= LONGEST_NAME else word


def of_labels(sessions: Iterable[str]) -> list[str]:
    """Return what is left of labels without words and numbers that mean a time.

    Examples
    --------
    >>> of_labels(["placebo", "psilocybin", "baseline", "2"])
    ['placebo', 'psilocybin']
    """
    return in_order(rest for session in sessions if (rest := meaning_of(session).rest))


def find_treatments(words: Mapping[str, str], trial: Trial, where: str) -> Treatments:
    """Settle which two treatments are compared, and which is the reference.

    Of more, see `all_treatments`.

    Parameters
    ----------
    words : dict of str
        Name by every word that was found for a treatment.
    trial : settings.Trial
        Its ``arms`` and ``reference_arm`` go first.
    where : str
        In which they were found, for people.

    Raises
    ------
    UsageError
        A choice is open; the message lists what there is.
    """
    names, known = named_in(words, trial)
    if len(set(names)) != 2:
        raise UsageError(
            f"A cross-over trial has two treatments; {where} {'names' if names else 'name'} {_listed(names)}. Choose "
            f"them with --arms, for example --arms {' '.join([*names, 'A', 'B'][:2])}; what letters stand for can be "
            "said under Levels in participants.json."
        )
    return all_treatments(names, known, trial)


def named_in(words: Mapping[str, str], trial: Trial) -> tuple[list[str], dict[str, str]]:
    """Return the treatments that words are written for, or those of --arms, and the name of every word."""
    known = _merged(words)
    names = in_order(set(known.values()))
    return [_chosen(one, known, names, "--arms") for one in trial.arms] or names, known


def all_treatments(names: Sequence[str], known: Mapping[str, str], trial: Trial) -> Treatments:
    """Settle which of the treatments is the reference.

    Raises
    ------
    UsageError
        None of them, or several, is called as a reference is.
    """
    reference = _reference(names, known, trial.reference_arm)
    return Treatments((*dict.fromkeys(name for name in names if name != reference), reference), known)


def _merged(words: Mapping[str, str]) -> dict[str, str]:
    """Take words that differ by case for one, and letters for the one longer name that begins with them."""
    names: dict[str, str] = {}
    for name in words.values():
        names.setdefault(name.lower(), name)
    longer = [name for name in names if len(name) > 1]
    for name in [name for name in names if len(name) == 1]:
        begun = [one for one in longer if one.startswith(name)]
        names[name] = names[begun[0]] if len(begun) == 1 else names[name]
    return {word.lower(): names[name.lower()] for word, name in words.items()} | {one: names[one] for one in names}


def _chosen(wanted: str, known: Mapping[str, str], names: Sequence[str], option: str) -> str:
    if (name := known.get(wanted.lower())) is None or name not in names:
        raise UsageError(f"{option} {wanted}: the treatments are {_listed(names)}.")
    return name


def _reference(names: Sequence[str], known: Mapping[str, str], wanted: str | None) -> str:
    if wanted is not None:
        return _chosen(wanted, known, names, "--reference-arm")
    usual = {known[word] for word in known if word in REFERENCE_LEVELS} & set(names)
    if len(usual) != 1:
        raise UsageError(
            f"Which treatment is the reference: {' or '.join(in_order(names))}? Say so with --reference-arm."
        )
    return usual.pop()


def _listed(names: Collection[str]) -> str:
    return " and ".join(map(repr, names)) or "none"
