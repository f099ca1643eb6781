"""Interfaces of the group level."""

from typing import Any

from nipype.interfaces.base import BaseInterfaceInputSpec, File, SimpleInterface, TraitedSpec, traits

from bids_app.group import results, several, together
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


class _TestTogetherInput(BaseInterfaceInputSpec):
    joint = traits.Any(mandatory=True, desc="together.Joint", nohash=True)
    maps_files = traits.Dict(traits.Str, traits.Str, mandatory=True, desc="by the name of the sample")
    trial = traits.Any(mandatory=True, desc="Trial")
    any_difference = traits.Bool(False, desc="F over all arms, in place of the comparisons")
    n_jobs = traits.Int(1, nohash=True)


class _TestTogetherOutput(TraitedSpec):
    found = traits.Any(desc="dict of together.Result")


class TestTogether(SimpleInterface):
    """One feature's maps of all arms to the results of comparisons that share their draws."""

    input_spec, output_spec = _TestTogetherInput, _TestTogetherOutput
    _always_run = True
    __test__ = False

    def _run_interface(self, runtime: Any) -> Any:
        inputs = self.inputs
        test = together.compare_any if inputs.any_difference else together.compare_together
        self._results["found"] = test(inputs.joint, inputs.maps_files, inputs.trial, n_jobs=inputs.n_jobs)
        return runtime


class _WriteTogetherInput(BaseInterfaceInputSpec):
    found = traits.List(traits.Any, mandatory=True, desc="in the order of keys", nohash=True)
    keys = traits.List(traits.Any, mandatory=True, desc="(number of the joint test, feature) each")
    family = traits.Any(mandatory=True, desc="family.Family", nohash=True)
    settings = traits.Any(mandatory=True)


class _WriteTogetherOutput(TraitedSpec):
    out_files = traits.List(traits.Str)


class WriteTogether(SimpleInterface):
    """Results of all joint tests of one route to maps and a table."""

    input_spec, output_spec = _WriteTogetherInput, _WriteTogetherOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs = self.inputs
        found = {
            several.Part(joint, several.Compared(feature, name)): result
            for (joint, feature), results in zip(inputs.keys, inputs.found, strict=True)
            for name, result in results.items()
        }
        written = several.write_family(inputs.settings, inputs.family, found)
        self._results["out_files"] = [str(path) for path in written]
        return runtime


class _WriteComparisonInput(BaseInterfaceInputSpec):
    comparisons = traits.List(traits.Any, mandatory=True, desc="in the order of tests", nohash=True)
    tests = traits.List(traits.Any, mandatory=True, desc="analyses.Test each")
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
        comparisons = dict(zip(inputs.tests, inputs.comparisons, strict=True))
        written = results.write_results(inputs.settings, inputs.route, inputs.sample, comparisons)
        self._results["out_files"] = [str(path) for path in written]
        return runtime
