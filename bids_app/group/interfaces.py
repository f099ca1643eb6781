"""Interfaces of the group level."""

from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, File, SimpleInterface, TraitedSpec, traits

from bids_app.group import results
from bids_app.group.analyses import run_analysis
from bids_app.group.sample import load_maps


class _CompareArmsInput(BaseInterfaceInputSpec):
    maps_file = File(exists=True, mandatory=True, desc="(n, V) of one feature, by visit")
    sample = traits.Any(mandatory=True, desc="sample.Sample without its maps", nohash=True)
    analysis = traits.Any(mandatory=True, desc="Analysis")
    trial = traits.Any(mandatory=True, desc="Trial")
    n_jobs = traits.Int(1, nohash=True)


class _CompareArmsOutput(TraitedSpec):
    comparison = traits.Any(desc="stats.Comparison")


class CompareArms(SimpleInterface):
    """One feature's maps of every visit to the result of one analysis."""

    input_spec, output_spec = _CompareArmsInput, _CompareArmsOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs, maps = self.inputs, load_maps(self.inputs.maps_file)
        self._results["comparison"] = run_analysis(
            inputs.analysis, inputs.sample, maps, inputs.trial, n_jobs=inputs.n_jobs
        )
        return runtime


class _WriteComparisonInput(BaseInterfaceInputSpec):
    comparisons = traits.List(traits.Any, mandatory=True, desc="in the order of keys")
    keys = traits.List(traits.Any, mandatory=True, desc="(feature, analysis) each")
    sample = traits.Any(mandatory=True, desc="sample.Sample without its maps", nohash=True)
    route = traits.Any(mandatory=True, nohash=True)
    settings = traits.Any(mandatory=True)


class _WriteComparisonOutput(TraitedSpec):
    out_files = traits.List(traits.Str)


class WriteComparison(SimpleInterface):
    """Comparisons of one route to maps and tables."""

    input_spec, output_spec = _WriteComparisonInput, _WriteComparisonOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs = self.inputs
        comparisons = dict(zip(map(tuple, inputs.keys), inputs.comparisons, strict=True))
        written = results.write_results(inputs.settings, inputs.route, inputs.sample, comparisons)
        self._results["out_files"] = [str(path) for path in written]
        return runtime
