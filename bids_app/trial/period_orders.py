"""Which sequences of treatments there are in a cross-over trial of more than two treatments or periods."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PeriodOrders:
    """The sequences of a trial, each a treatment for every period.

    Attributes
    ----------
    treatments : tuple of str
        The reference first.
    orders : tuple of tuple of str
        Of each sequence, in the order of their numbers, the treatments of the periods.
    used : tuple of int
        The numbers of the sequences that somebody who is compared was given; all where that is not known yet.

    Examples
    --------
    >>> square = PeriodOrders(("placebo", "low", "high"), (("low", "high", "placebo"), ("high", "placebo", "low")))
    >>> square.names, square.given, square.pair(("high", "placebo"))
    (('low-high-placebo', 'high-placebo-low'), ((1, 2, 0), (2, 0, 1)), (2, 0))
    """

    treatments: tuple[str, ...]
    orders: tuple[tuple[str, ...], ...]
    used: tuple[int, ...] = ()

    @property
    def n_periods(self) -> int:
        """How many periods there are."""
        return len(self.orders[0])

    @property
    def names(self) -> tuple[str, ...]:
        """What the sequences are called."""
        return tuple(map(sequence_name, self.orders))

    @property
    def given(self) -> tuple[tuple[int, ...], ...]:
        """The number of the treatment of each sequence in each period."""
        return tuple(tuple(map(self.treatments.index, order)) for order in self.orders)

    @property
    def there(self) -> tuple[tuple[int, ...], ...]:
        """The same of the sequences of those who are compared."""
        return tuple(self.given[one] for one in self.used) if self.used else self.given

    def pair(self, treatments: tuple[str, ...]) -> tuple[int, int]:
        """Return the numbers of two treatments, the active and the reference of a difference."""
        active, reference = map(self.treatments.index, treatments)
        return active, reference


def sequence_name(order: tuple[str, ...]) -> str:
    """Return what a sequence is called."""
    return "-".join(order)


def period_name(place: int) -> str:
    """Return what a period is called in place of its sessions; the first is 0."""
    return f"period{place + 1}"


def baseline_name(place: int) -> str:
    """Return what the baseline of a period is called."""
    return f"baseline{place + 1}"
