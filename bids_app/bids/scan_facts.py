"""What is known of a scan: the participant level says it in the sidecar of each file, later levels read it there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from bids_app import __version__
from bids_app.system.provenance import digest_of_code

SERIES_RECEIVED = "as the time series were received"
MATRIX_RECEIVED = "as the correlations were received"


def said(key: str, **default: Any) -> Any:
    """Make a field that sidecars call by a key; one without a default is in every sidecar."""
    return field(metadata={"key": key}, **default)


class Part:
    """What belongs together; None is what is not known, or was not said by the version that wrote the sidecar."""

    def to_json(self) -> dict[str, Any]:
        """Return it by the keys of sidecars, in the order of the fields."""
        return {one.metadata["key"]: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, sidecar: Mapping[str, Any]) -> Self:
        """Read it from a whole sidecar.

        Raises
        ------
        DataError
            The sidecar of a file lacks what every one has.
        """
        values = {one.name: _value(sidecar, one.metadata["key"], one.default) for one in fields(cls)}  # type: ignore[arg-type]
        return cls(**values)


def _value(sidecar: Mapping[str, Any], key: str, default: object) -> Any:
    value = sidecar.get(key) if default is None else sidecar[key]
    if value == "n/a":  # a number that is not finite
        return float("nan")
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, kw_only=True)
class Origin(Part):
    """Which scan it is, and what made its files of what.

    Attributes
    ----------
    scan : str
        Its name for people.
    sources : sequence of str
        BIDS URIs.
    software, code : str
        The version, and the digest of the program.
    """

    scan: str | None = said("Scan", default=None)
    sources: Sequence[str] | None = said("Sources", default=None)
    software: str | None = said("Software", default=None)
    code: str | None = said("Code", default=None)

    @classmethod
    def here(cls, scan: str, sources: Sequence[str]) -> Self:
        """Return that of a scan whose files this program makes now."""
        return cls(scan=scan, sources=sources, software=f"trialgraph {__version__}", code=digest_of_code())


@dataclass(frozen=True, kw_only=True)
class Volumes(Part):
    """Which volumes there are, which are kept, and how much the head moved.

    Attributes
    ----------
    repetition_time : float
        In seconds.
    repetition_time_source, displacement_source : str
        Where they are from.
    censoring : str
        What was done about motion in what another tool cleaned, for people.
    total, dummy, censored, kept : int
        How many; kept is NaN where a matrix is all there is.
    minutes_kept : float
    threshold : float or "off"
        Framewise displacement above which volumes were censored, mm.
    mean_displacement, max_displacement : float
        Framewise displacement, mm.
    """

    repetition_time: float | None = said("RepetitionTime", default=None)
    repetition_time_source: str | None = said("RepetitionTimeSource", default=None)
    displacement_source: str | None = said("FramewiseDisplacementSource", default=None)
    censoring: str | None = said("Censoring", default=None)
    total: int | None = said("NumberOfVolumes", default=None)
    dummy: int | None = said("NumberOfDummyScans", default=None)
    censored: int | None = said("NumberOfVolumesCensored", default=None)
    kept: float = said("NumberOfVolumesKept")
    minutes_kept: float | None = said("MinutesKept", default=None)
    threshold: float | str | None = said("FramewiseDisplacementThreshold", default=None)
    mean_displacement: float | None = said("MeanFramewiseDisplacement", default=None)
    max_displacement: float | None = said("MaxFramewiseDisplacement", default=None)


@dataclass(frozen=True, kw_only=True)
class Cleaning(Part):
    """How the series were cleaned.

    Attributes
    ----------
    denoising : str
        For people.
    confounds : sequence of str
        Columns that were regressed out.
    bandpass : (low, high) in Hz, or str
        What was done otherwise, for people.
    detrend : bool
    echoes : str
        How echoes were combined, as a whole sentence; None where there was one image.
    """

    denoising: str | None = said("Denoising", default=None)
    confounds: Sequence[str] | None = said("Confounds", default=None)
    bandpass: Sequence[float] | str | None = said("Bandpass", default=None)
    detrend: bool | None = said("Detrend", default=None)
    echoes: str | None = said("EchoCombination", default=None)


@dataclass(frozen=True, kw_only=True)
class Quality(Part):
    """How good the series are.

    Attributes
    ----------
    coverage : float
        Share of the nodes that have a signal.
    signal_to_noise, dvars_before, dvars_after, correlation_before, correlation_after : float
        Means before and after cleaning.
    with_distance_before, with_distance_after : float
        Correlation of the correlation of nodes with their distance.
    degrees_of_freedom : float
        About how many are left in each series.
    """

    coverage: float | None = said("Coverage", default=None)
    signal_to_noise: float | None = said("TemporalSignalToNoise", default=None)
    dvars_before: float | None = said("MeanDvarsBefore", default=None)
    dvars_after: float | None = said("MeanDvarsAfter", default=None)
    correlation_before: float | None = said("MeanCorrelationBefore", default=None)
    correlation_after: float | None = said("MeanCorrelationAfter", default=None)
    with_distance_before: float | None = said("CorrelationWithDistanceBefore", default=None)
    with_distance_after: float | None = said("CorrelationWithDistanceAfter", default=None)
    degrees_of_freedom: float | None = said("DegreesOfFreedomLeft", default=None)


@dataclass(frozen=True, kw_only=True)
class ScanFacts:
    """All that the sidecars of a scan's files say alike.

    Attributes
    ----------
    origin : Origin
    volumes : Volumes
    cleaning : Cleaning
    quality : Quality
        Nothing of it is known of a table of series.
    warnings : sequence of str
        Whole sentences, which may begin with the name of a file and a colon.
    source_digests : dict of str
        SHA-256 of each file that it was read from, by name.
    atlas_digest : str
        Of the atlas as it was laid over the nodes.
    """

    origin: Origin
    volumes: Volumes
    cleaning: Cleaning
    quality: Quality = Quality()
    warnings: Sequence[str] | None = None
    source_digests: Mapping[str, str] | None = None
    atlas_digest: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what a sidecar says, by its keys and in its order."""
        content = self.origin.to_json() | self.volumes.to_json() | self.cleaning.to_json()
        if self.cleaning.denoising in (SERIES_RECEIVED, MATRIX_RECEIVED):  # what was done to them is said in one place
            content["Censoring"] = content.pop("Censoring")
        return (
            content
            | self.quality.to_json()
            | {
                "Warnings": self.warnings,
                "SourceDigests": self.source_digests,
                "AtlasDigest": self.atlas_digest,
            }
        )

    @classmethod
    def from_json(cls, sidecar: Mapping[str, Any]) -> Self:
        """Read it back from a sidecar, which may say more, and of an earlier version less.

        Raises
        ------
        DataError
            As `Part.from_json`.
        """
        return cls(
            origin=Origin.from_json(sidecar),
            volumes=Volumes.from_json(sidecar),
            cleaning=Cleaning.from_json(sidecar),
            quality=Quality.from_json(sidecar),
            warnings=sidecar.get("Warnings"),
            source_digests=sidecar.get("SourceDigests"),
            atlas_digest=sidecar.get("AtlasDigest"),
        )
