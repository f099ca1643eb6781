"""What is compared, in words: the arms of a trial, groups that nobody randomized, or visits of one group."""

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Wording:
    """The words that findings, records, methods and pages say of a comparison.

    Attributes
    ----------
    arm, arms : str
        What a member of the comparison is called, and several of them.
    enrolled : str
        Of people, that they belong to the comparison: everyone randomized.
    randomized : bool
        Whether chance made the groups: then what is of everyone randomized can be estimated too.
    key : str
        Of `WORDINGS`, as --design names it.
    compared : str
        What differs where there is an effect: the arms themselves, or of sequences the treatments.
    bounded : bool
        Whether what missing follow-ups may do is bounded: of arms that were randomized and have one follow-up.
    later_motion : str
        Why motion at the follow-up is not adjusted for.
    later_minutes : str
        What leaving visits out with too few data means.
    spread : str
        For which hypothesis the test holds.
    linear : str
        What ANCOVA rests on.
    losses : str
        What the test assumes of those who are not compared.
    differing : str
        What it means that more are missing of one.
    over_time : str
        What a change within one of them is.
    before, balance : str
        Caption and note of the table that describes them.
    warning : str or None
        What stands first on the page.
    several : bool
        Whether there is more than one arm.
    """

    key: str
    arm: str
    arms: str
    compared: str
    enrolled: str
    bounded: bool
    randomized: bool
    later_motion: str
    later_minutes: str
    spread: str
    linear: str
    losses: str
    differing: str
    over_time: str
    before: str
    balance: str
    warning: str | None = None
    several: bool = True

    def of(self, text: str) -> str:
        """Return a text that says arm in these words; of our own texts only, names of tables stay as they are.

        Examples
        --------
        >>> GROUPS.of("The arms have 3 and 9 participants; labels are those of everyone randomized.")
        'The groups have 3 and 9 participants; labels are those of everyone in the groups.'
        """
        text = re.sub(r"(?<!-)\barms differ\b", f"{self.compared} differ", text)
        words = {"arm": self.arm, "arms": self.arms, "Arm": self.arm.capitalize(), "Arms": self.arms.capitalize()}
        words["randomized"] = self.enrolled
        return re.sub(r"(?<!-)\b([Aa]rms?|randomized)\b", lambda found: words[found.group()], text)


PARALLEL = Wording(
    key="parallel",
    arm="arm",
    arms="arms",
    compared="arms",
    bounded=True,
    enrolled="randomized",
    randomized=True,
    later_motion="since treatment may change it: a difference between the arms may be one of motion",
    later_minutes="which happens after randomization",
    spread="The test is exact for the hypothesis that treatment changes nobody's value. Read as one of equal means it "
    "assumes that the arms vary alike: where the smaller arm varies more, p is too small.",
    linear="under randomization p holds without that, and the estimate is the mean effect",
    losses="That is a valid test if treatment changes neither the values nor who is missing: those compared must be "
    "the same people as in any other allocation. Nothing in the data can show this; the tables of what missing "
    "follow-ups may do have bounds that assume nothing of this kind.",
    differing="If treatment changed who is missing, and the missing would have differed in what is measured, the p "
    "values and intervals of those compared do not hold; the tables of what missing follow-ups may do have bounds that "
    "assume nothing of this kind.",
    over_time="it holds whatever happens over time without treatment too",
    before="Before treatment: everyone randomized",
    balance="No p-values: in arms that were randomized, any difference before treatment is by chance.",
)
GROUPS = Wording(
    key="groups",
    arm="group",
    arms="groups",
    compared="groups",
    bounded=False,
    enrolled="in the groups",
    randomized=False,
    later_motion="so that a difference between the groups may be one of motion",
    later_minutes="which need not happen alike in the groups",
    spread="The test is of equal means. It assumes that the groups vary alike: where the smaller group varies more, p "
    "is too small.",
    linear="where the groups differ at the baseline, the estimate depends on that",
    losses="The difference is one between those compared: it holds for the others too only if these are missing "
    "alike in the groups, which nothing in the data can show.",
    differing="If the missing would have differed in what is measured, the difference between those compared is "
    "another one than that between the groups.",
    over_time="it holds whatever happens over time in either group",
    before="Who was compared with whom: everyone in the groups",
    balance="No p-values: these groups differ by more than chance. The question is one of confounding: does the "
    "difference that is found come from what stands here, or from what nobody measured? What is adjusted for is taken "
    "out as far as it goes along in a straight line, alike in both groups; the rest is not.",
    warning="A difference between the groups is an association, and never an effect of treatment or of what they are "
    "called by: nobody was randomized, so it may come from whatever else differs between them (confounding). Errors "
    "are taken to be exchangeable between the groups once covariates are taken out.",
)
CROSSOVER = Wording(
    key="crossover",
    arm="sequence",
    arms="sequences",
    compared="treatments",
    bounded=False,
    enrolled="randomized",
    randomized=True,
    later_motion="since treatment may change it: a difference between the treatments may be one of motion",
    later_minutes="which happens after randomization",
    spread="The test is exact for the hypothesis that it makes no difference to anybody which treatment was first, "
    "whatever the periods differ in. Read as one of equal means it assumes that the differences between the periods "
    "vary alike in both sequences: where the smaller sequence varies more, p is too small.",
    linear="under randomization p holds without that",
    losses="That is a valid test if the order of the treatments changes neither the values nor who is missing: those "
    "compared have both periods, and must be the same people as in any other allocation. Nothing in the data can show "
    "this, and nothing is estimated of those who have one period only.",
    differing="If the order of the treatments changed who is missing, and the missing would have differed in what is "
    "measured, the p values and intervals of those compared do not hold.",
    over_time="it holds the treatment and the period together",
    before="Everyone randomized, by sequence",
    balance="No p-values: in sequences that were randomized, any difference before treatment is by chance.",
)
SEVERAL_PERIODS = replace(
    CROSSOVER,
    key="crossover-several",
    spread="Participants and periods are taken out, and the sequences re-drawn. The test of one difference is exact "
    "for the hypothesis that these treatments are alike for everybody, whatever the periods differ in, where only "
    "sequences that differ in nothing else are exchanged; how it was here is said above. Intervals and p of t take "
    "what is left of a participant's values in the periods to vary alike and independently.",
    losses="That is a valid test if the order of the treatments changes neither the values nor who is missing: those "
    "compared have every period, and must be the same people as in any other allocation. Nothing in the data can show "
    "this, and in maps nothing is estimated of those who lack a period; scores have a mixed model of everyone beside.",
)
CARRY_OVER = (
    "The treatment effect is taken to be free of carry-over: what the first treatment left behind in period 2 is taken "
    "to be the same in both sequences, as after a wash-out that is long enough. The sum of the periods, compared "
    "between the sequences, is a weak test of that: it cannot show that there is none, and must not be used to choose "
    "between period 1 alone and both periods (Freeman 1989, Statistics in Medicine 8:1421)."
)
FIRST_ORDER = (
    "Each treatment is taken to act in its own period only, as after a wash-out that is long enough. What that of the "
    "period before left behind (first-order carry-over) is estimated beside, and the difference adjusted for it, where "
    "the sequences tell it. That is weak: it cannot show that there is none, takes it to be the same whatever comes "
    "after, and must not be used to choose between the analyses (Senn 2002, Cross-over Trials in "
    "Clinical Research; Freeman 1989, Statistics in Medicine 8:1421)."
)
SEVERAL_BASELINES_CARRY = (
    "The baselines after period 1 come after another treatment: they are taken to be free of what that left behind. "
    "The difference that is not adjusted for them, which stands beside it, is free of this (Kenward & Roger 2010, "
    "Biostatistics 11:1)."
)
BASELINES_CARRY = (
    "The baseline of period 2 comes after the first treatment: it is taken to be free of what that left behind. The "
    "test is exact for the hypothesis that treatment changes nobody's value, at the baselines too; where the first "
    "treatment still acts on the second baseline and no longer on the outcome of period 2, adjusting for the baselines "
    "makes an effect of that. Half the difference between the periods that is not adjusted, which stands beside it, "
    "is free of this (Kenward & Roger 2010, Biostatistics 11:1). How the baselines differ between the sequences tells "
    "what was left behind, but cannot show that there is nothing, and must not choose between the two."
)
ONE_GROUP = Wording(
    key="one-group",
    several=False,
    arm="group",
    arms="participants",
    compared="visits",
    bounded=False,
    enrolled="in the group",
    randomized=False,
    later_motion="so that a change may be one of motion",
    later_minutes="which need not happen alike at every visit",
    spread="Signs are flipped: each participant's difference is taken to be distributed symmetrically about 0 where "
    "nothing changes, whatever its spread. One that is skewed, as where few change much, makes p approximate.",
    linear="where that is not so, the estimate depends on it",
    losses="The change is that of those compared: it holds for the others too only if they are missing by chance, "
    "which nothing in the data can show.",
    differing="",
    over_time="",
    before="Who was scanned",
    balance="",
    warning="There is one group and no comparison group: a change over time cannot be told from regression to the "
    "mean, practice, habituation to the scanner, or time itself, whatever happened between the visits.",
)
ONE_VISIT = replace(
    ONE_GROUP,
    compared="values",
    spread="Residuals are taken to vary alike for everyone: where the spread of the values changes with the covariate, "
    "p is approximate.",
    losses="What is found holds for the others too only if they are missing by chance, which nothing in the data can "
    "show.",
    warning="There is one group, seen once: it is compared with nobody, and what goes along with a covariate "
    "over people need not come from it.",
)
PAIRED = replace(
    ONE_GROUP,
    key="paired",
    compared="treatments",
    later_motion="since treatment may change it: a difference between the treatments may be one of motion",
    spread=f"{ONE_GROUP.spread} That is so where treatment changes nobody's value, if the periods do not differ.",
    losses="The difference is that of those compared, who have both sessions: it holds for the others too only if they "
    "are missing by chance, which nothing in the data can show.",
    warning="Nobody knows who had which treatment first: the difference between the treatments cannot be told from one "
    "between the first and the second session, nor from what the first treatment left behind (carry-over). It is "
    "that of the treatments only if the sessions do not differ otherwise (no effect of the period), or as many had "
    "either order.",
)
WORDINGS = {one.key: one for one in (PARALLEL, GROUPS, CROSSOVER, SEVERAL_PERIODS, ONE_GROUP, PAIRED)}
